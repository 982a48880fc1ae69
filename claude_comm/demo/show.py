"""What the demo prints: everything to stdout, since its text is its data."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from claude_comm.addresses import public
from claude_comm.demo.corpus import MAX_FILES
from claude_comm.demo.index import Index
from claude_comm.demo.stage import DemoProgress
from claude_comm.errors import NegotiationRefused
from claude_comm.escaping import clean
from claude_comm.negotiation.agreement import Agreement
from claude_comm.runtime import private_server
from claude_comm.schema.verdict import Incompatible
from claude_comm.settings import Settings
from claude_comm.store.activity import HopActivity
from claude_comm.store.records import FileOperationRow
from claude_comm.store.statistics import SessionSnapshot
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_styled, emit_table, on_terminal, shorten
from claude_comm.terminal.styles import FAILED
from claude_comm.terminal.tables import numbers

# For the default corpus of docs and package metadata; another folder is searched for words that its pages share.
SEARCHES = ("streams", '"json schema"', "fast OR quick")
_WIDTH = 100
_MAX_UNREADABLE = 5

ProgressDisplay = Callable[[DemoProgress], None]


def opening(settings: Settings, files: int, folder: Path | None) -> None:
    emit("Three modules, three processes, one server:")
    emit("  demo-reader  ->  demo-extractor  ->  demo-indexer")
    emit(clean(f"server  {public(settings.url) or private_server.socket_path(settings.home)}"))
    whole = "" if files < MAX_FILES else " (more are not read)"
    emit(clean(f"files   {files}{whole} in {folder or 'our docs and the metadata of the installed packages'}"))


def heading(text: str) -> None:
    emit("")
    emit(clean(text))


def agreed(agreement: Agreement) -> None:
    emit(clean(f"  {_hop(agreement)}: agreed, decided by the {agreement.decided_by} ({agreement.id[:12]})"))


def refused(error: NegotiationRefused, version: str) -> None:
    """The refusal with the message that shows it."""
    agreement = error.refusal
    assert isinstance(agreement, Agreement)
    emit_styled(clean(f"  {_hop(agreement)}: REFUSED as declared in version {version}"), FAILED)
    verdict = agreement.verdict
    if isinstance(verdict, Incompatible):
        emit(clean(f"    a message it may send:  {msgspec.json.encode(verdict.witness).decode()}"))
        for reason in verdict.reasons:
            emit(clean(f"    why it does not fit:    {reason.sentence}"))
            for mend in reason.mends:
                emit(clean(f"    to fix it:              {mend}"))


def fixed(version: str) -> None:
    emit(f"  demo-extractor declares version {version}: every finding has a title")


@contextmanager
def live(files: int) -> Iterator[ProgressDisplay]:
    """Bars on a terminal; in a pipe one line per change."""
    if not on_terminal():
        before: list[DemoProgress] = []

        def line(progress: DemoProgress) -> None:
            if before[-1:] != [progress]:
                read, extracted, indexed = progress.read, progress.extracted, progress.indexed
                emit(f"  read {read}/{files}  extracted {extracted}/{files}  indexed {indexed}/{files}")
                before.append(progress)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(TextColumn("  {task.description:<10}"), BarColumn(), MofNCompleteColumn()) as bars:
        tasks = {name: bars.add_task(name, total=files) for name in ("read", "extracted", "indexed")}

        def bar(progress: DemoProgress) -> None:
            for name, task in tasks.items():
                bars.update(task, completed=getattr(progress, name))

        yield bar


def summary(snapshot: SessionSnapshot, hops: list[HopActivity], elapsed_s: float) -> None:
    heading("3. What happened")
    files = snapshot.file_operations
    emit(
        f"  {snapshot.messages} messages in {elapsed_s:.1f} s: {snapshot.messages / max(elapsed_s, 1e-9):.0f} a second"
    )
    read, failed = files.get("success", 0), files.get("failed", 0)
    emit(f"  {read} files read, {failed} could not be read, {formats.size(_bytes(snapshot))}")
    emit(f"  {snapshot.failed} messages failed, {snapshot.pending} waiting")
    emit("")
    rows = [[hop.source, hop.target, hop.messages, *_latencies(hop)] for hop in hops]
    emit_table(["from", "to", *numbers("messages", "latency p50", "p95")], rows)


def unreadable(files: list[FileOperationRow]) -> None:
    """The first few files that could not be read, each with the reason."""
    for file in files[:_MAX_UNREADABLE]:
        why = file.details.get("reason", "") if isinstance(file.details, dict) else ""
        emit(clean(f"  not read: {file.file_path}: {why}"))
    if len(files) > _MAX_UNREADABLE:
        emit(f"  and {len(files) - _MAX_UNREADABLE} more")


def searches(index: Index, whose: Path | None) -> None:
    heading("4. Three searches in the index that was built")
    queries = SEARCHES if whose is None else index.telling_words(3)
    if not queries:
        emit("  there is too little text in it to search for.")
    for query in queries:
        emit(clean(f"  {query}"))
        for hit in index.search(query):
            emit(clean(f"    {shorten(hit.title, 40)}: {shorten(' '.join(hit.excerpt.split()), _WIDTH)}"))


def closing(session: str, number: int) -> None:
    heading("Look further:")
    program = _program()
    for arguments in (
        f"list --session {session} --limit 5",
        f"show {number}",
        f"session show {session} --limit 5",
        "agreements",
        "modules",
        "progress",
    ):
        emit(clean(f"  {program} {arguments}"))
    emit(clean(f"  {program} gateway --open    (the dashboard, in a browser)"))


def _program() -> str:
    """How this very command was called, so that the commands shown can be typed."""
    called = Path(sys.argv[0])
    if called.name != "claude-comm":
        return f"{shlex.quote(sys.executable)} -m claude_comm"
    on_path = shutil.which("claude-comm")
    return "claude-comm" if on_path and os.path.samefile(on_path, called) else shlex.quote(os.path.relpath(called))


def _hop(agreement: Agreement) -> str:
    return f"{agreement.producer} -> {agreement.consumer} ({agreement.type})"


def _latencies(hop: HopActivity) -> list[str]:
    latency = hop.latency
    return [
        formats.milliseconds(latency.p50_ms if latency else None),
        formats.milliseconds(latency.p95_ms if latency else None),
    ]


def _bytes(snapshot: SessionSnapshot) -> int:
    return snapshot.session.bytes_processed if snapshot.session else 0
