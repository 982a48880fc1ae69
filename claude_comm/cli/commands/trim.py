"""The command `trim`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.delivery.retention import tightest
from claude_comm.names import Keys
from claude_comm.ops import follow, server
from claude_comm.ops import trim as ops
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.position_trust import believed_positions
from claude_comm.settings import Settings
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect


class TrimmedStream(msgspec.Struct, frozen=True):
    """What was trimmed from one stream, and what holds the rest of it, in words."""

    stream: str
    entries: int
    bytes: int
    held: str


def command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be trimmed, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Trim the streams now, as the janitor does, and say what holds the rest.

    An entry is trimmed when every group has acked it, every projection has reported it as durable, and it is older than
    CLAUDE_COMM_KEEP_S or not among the newest CLAUDE_COMM_KEEP_ENTRIES. Bytes are an estimate of the server.
    """
    rows = trimmed(settings_of_process(), dry_run=dry_run)
    if as_json:
        emit_json(rows)
        return
    if not rows:
        say("no streams yet.")
        return
    trimmed_column = "would trim" if dry_run else "trimmed"
    cells = [[row.stream, row.entries, formats.size(row.bytes), row.held or "-"] for row in rows]
    emit_table(["stream", *numbers(trimmed_column, "freed"), Column("held by", "wrap")], cells)


def trimmed(settings: Settings, *, dry_run: bool) -> list[TrimmedStream]:
    """One round over all streams."""
    keys, now_ms = Keys(settings.namespace), time.time_ns() // 1_000_000
    with connect(settings) as client:
        servers = client.run_on_each(server.may_tell)
        keep = tightest([server.keeping(facts, settings.keep_s, settings.keep_entries) for facts in servers])
        projections = client.run(believed_positions(settings).awaited(keys, settings.projection_wait_s))
        step = ops.would_trim if dry_run else ops.trim
        trims = [
            client.run(step(stream, projections, keep, now_ms=now_ms))
            for stream in client.run(follow.announced(keys)).streams
        ]
    return [TrimmedStream(done.stream, done.entries, done.bytes, done.held(now_ms=now_ms)) for done in trims]
