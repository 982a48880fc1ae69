"""Samples in the text formats of Prometheus, written by `prometheus-client`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from claude_comm.errors import ConfigurationError
from claude_comm.telemetry.metrics import Distribution, Metric, Sample

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

NEEDED = "metrics for Prometheus need prometheus-client, which is not installed: pip install 'claude-comm[telemetry]'."


def exposition(samples: Iterable[Sample], accept: str = "") -> tuple[bytes, str]:
    """The text, and its content type: OpenMetrics where the header `accept` asks for that.

    Raises ConfigurationError where `prometheus-client` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        raise ConfigurationError(NEEDED) from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(list(samples)))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    """What a registry of Prometheus asks for its families."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        families: dict[Metric, Family] = {}
        for sample in self._samples:
            if sample.metric not in families:
                families[sample.metric] = _family(sample.metric)
            _add(families[sample.metric], sample)
        yield from families.values()


def _family(metric: Metric) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
    family: Family = families[metric.kind](metric.exported, metric.meaning, labels=metric.exported_labels)
    return family


def _add(family: Family, sample: Sample) -> None:
    if isinstance(sample.value, Distribution):
        bounds = [*map(_bound, sample.metric.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(sample.value.counts), strict=True))
        family.add_metric(sample.labels, buckets, sample.value.sum)  # type: ignore[attr-defined]
    else:
        family.add_metric(sample.labels, sample.value)  # type: ignore[attr-defined]


def _bound(bound: float) -> str:
    return repr(bound)
