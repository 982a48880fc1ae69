"""The process metrics of the table, recorded through OpenTelemetry, into Prometheus, or both.

Law: decided once, when a client is made. Nothing is recorded, and nothing imported, where the program has set no
`MeterProvider` and `CLAUDE_COMM_METRICS` does not ask for Prometheus. What is recorded has the labels of its metric.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from claude_comm.errors import ConfigurationError
from claude_comm.settings import Settings
from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.conventions import SCHEMA_URL, SYSTEM_NAME
from claude_comm.telemetry.exposition import NEEDED
from claude_comm.telemetry.logs import EventLog
from claude_comm.telemetry.metrics import CONSUMED, METRICS, OPERATION_DURATION, PROCESS_DURATION, SENT, Metric
from claude_comm.version import __version__

_PROCESS = tuple(metric for metric in METRICS if metric.scope == "process")


class ValueRecorder(Protocol):
    """Where values go: a counter is added to, a histogram records."""

    def record(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None: ...


class Instruments:
    """What a client records of its own messages."""

    def __init__(self, recorders: list[ValueRecorder]) -> None:
        self._recorders = recorders

    def sent(self, operation: str, destination: str, count: int, seconds: float | None, error: str) -> None:
        """Messages that were sent, or created to be sent with others, which takes no time of its own."""
        labels = _labels(operation, destination, error)
        self._record(SENT, count, labels)
        if seconds is not None:
            self._record(OPERATION_DURATION, seconds, labels)

    def settled(self, operation: str, destination: str, seconds: float, error: str) -> None:
        self._record(OPERATION_DURATION, seconds, _labels(operation, destination, error))

    def processed(self, destination: str, group: str, count: int, seconds: float, error: str) -> None:
        labels = {**_labels(names.PROCESS, destination, error), names.GROUP: group}
        self._record(CONSUMED, count, labels)
        self._record(PROCESS_DURATION, seconds, labels)

    def _record(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        for recorder in self._recorders:
            recorder.record(metric, value, labels)


def _labels(operation: str, destination: str, error: str) -> dict[str, str]:
    labels = {names.SYSTEM: SYSTEM_NAME, names.OPERATION_NAME: operation, names.DESTINATION: destination}
    return {**labels, names.ERROR_TYPE: error} if error else labels


def instruments_of_process(settings: Settings) -> Instruments | None:
    """What a client records into; None where nobody asked for metrics. Raises ConfigurationError."""
    form, _, _ = settings.metrics.partition(":")
    recorders: list[ValueRecorder] = []
    if form != "off" and (provider := _meter_provider()) is not None:
        recorders.append(_through_opentelemetry(provider))
    if form == "prometheus":
        recorders.append(_into_prometheus())
    return Instruments(recorders) if recorders else None


_served: set[int] = set()
_serving = threading.Lock()


def serve(settings: Settings, log: EventLog) -> None:
    """Serves this process's metrics at `/metrics` of the port that the settings name, once."""
    _, _, port = settings.metrics.partition(":")
    if not port:
        return
    from prometheus_client import start_http_server

    with _serving:
        if int(port) in _served:
            return
        try:
            start_http_server(int(port))
        except OSError as error:
            # Its messages matter more: another process of this machine serves there, say.
            log.warning("metrics.not_served", port=int(port), error=str(error))
        else:
            _served.add(int(port))


def _meter_provider() -> Any:
    """The provider that the program has set, or None. Whoever sets one has imported the API."""
    api, inner = sys.modules.get("opentelemetry.metrics"), sys.modules.get("opentelemetry.metrics._internal")
    if api is None or inner is None:
        return None
    provider = api.get_meter_provider()
    absent = isinstance(provider, api.NoOpMeterProvider | inner._ProxyMeterProvider)
    return None if absent else provider


class _OpenTelemetry:
    def __init__(self, provider: Any) -> None:
        meter = provider.get_meter("claude_comm", __version__, schema_url=SCHEMA_URL)
        self._adders: dict[Metric, Any] = {}
        for metric in _PROCESS:
            if metric.kind == "counter":
                self._adders[metric] = meter.create_counter(metric.name, metric.unit, metric.meaning).add
            else:
                histogram = meter.create_histogram(
                    metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=metric.bounds
                )
                self._adders[metric] = histogram.record

    def record(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        self._adders[metric](value, labels)


class _Prometheus:
    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self._metrics: dict[Metric, Any] = {}
        for metric in _PROCESS:
            named = metric.exported, metric.meaning, metric.exported_labels
            self._metrics[metric] = (
                Counter(*named) if metric.kind == "counter" else Histogram(*named, buckets=metric.bounds)
            )

    def record(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        child = self._metrics[metric].labels(*(labels.get(name, "") for name in metric.labels))
        if metric.kind == "counter":
            child.inc(value)
        else:
            child.observe(value)


@functools.lru_cache(maxsize=4)
def _through_opentelemetry(provider: Any) -> ValueRecorder:
    return _OpenTelemetry(provider)


@functools.lru_cache(maxsize=1)
def _into_prometheus() -> ValueRecorder:
    """Metrics of the default registry of `prometheus-client`, which has each name once."""
    try:
        return _Prometheus()
    except ImportError:
        raise ConfigurationError(NEEDED) from None
