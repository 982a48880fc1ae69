"""The command `metrics`."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.cli.options import AsJson
from claude_comm.client.measures import measure
from claude_comm.escaping import clean_lines
from claude_comm.runtime.environment import settings_of_process
from claude_comm.telemetry.exposition import exposition
from claude_comm.telemetry.metrics import Distribution, Sample
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(as_json: AsJson = False) -> None:
    """Write the metrics of all modules in the format of Prometheus.

    They come from the server, the registry and the projection: instances, backlogs, ages, buried messages and
    latencies. Use the output for a collector that reads files, or to read once; the gateway serves the same at
    /metrics. docs/metrics.md lists them.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        samples = measure(client, settings)
    if as_json:
        emit_json([_document(sample) for sample in samples])
    else:
        text, _ = exposition(samples)
        emit(clean_lines(text.decode()).rstrip("\n"))


def _document(sample: Sample) -> dict[str, Any]:
    metric, value = sample.metric, sample.value
    labels = dict(zip(metric.labels, sample.labels, strict=True))
    document: dict[str, Any] = {"name": metric.name, "kind": metric.kind, "unit": metric.unit, "labels": labels}
    if not isinstance(value, Distribution):
        return document | {"value": value}
    return document | {"bounds": metric.bounds, **msgspec.to_builtins(value)}
