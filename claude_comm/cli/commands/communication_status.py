"""The command `communication-status`."""

from __future__ import annotations

from claude_comm.cli import documents
from claude_comm.cli.options import AsJson, DocumentFile
from claude_comm.cli.projection import reading
from claude_comm.documents import form
from claude_comm.store.statistics import PairStatistics, pair_statistics
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table
from claude_comm.terminal.tables import Columns, numbers

_PAIR = ["source", "target"]
_COUNTS = numbers("messages", "handled", "failed", "pending")
_METRICS = [*numbers("success", "p50"), *numbers("p95", rank=1), *numbers("mean", rank=2)]


def command(file: DocumentFile, as_json: AsJson = False) -> None:
    """Show the traffic between pairs of modules.

    FILE contains {module_pairs: [{source, target}], include_metrics}. With metrics it also shows the success rate and
    the latency, from sending a message to the end of its handling.
    """
    document = documents.read(file)
    form.require("communication", document, documents.origin(file))
    full = document.get("include_metrics", True)
    with reading() as database:
        pairs = [pair_statistics(database, pair["source"], pair["target"]) for pair in document["module_pairs"]]
    if as_json:
        emit_json(pairs if full else [_counts(pair) for pair in pairs])
    else:
        columns: Columns = [*_PAIR, *_COUNTS, *(_METRICS if full else [])]
        emit_table(columns, [_cells(pair)[: len(columns)] for pair in pairs])


def _counts(pair: PairStatistics) -> dict[str, object]:
    names = ("source", "target", "count", "handled", "failed", "pending")
    return {name: getattr(pair, name) for name in names}


def _cells(pair: PairStatistics) -> list[object]:
    rate = "-" if pair.success_rate is None else f"{pair.success_rate:.1%}"
    latency = pair.latency
    latencies = (latency.p50_ms, latency.p95_ms, latency.mean_ms) if latency else (None, None, None)
    counts = [pair.source, pair.target, pair.count, pair.handled, pair.failed, pair.pending]
    return [*counts, rate, *map(formats.milliseconds, latencies)]
