"""The command `trim`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.delivery.retention import tightest
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.ops import follow, server
from claude_comm.ops import jobs as kept_jobs
from claude_comm.ops import trim as ops
from claude_comm.runtime import home
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
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Remove the negotiation jobs that have ended, instead of trimming streams.")
    ] = False,
    logs: Annotated[
        bool, typer.Option("--logs", help="Empty the logs of this home; what they hold is kept as NAME.log.1.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Trim the streams now, as the janitor does, and say what holds the rest.

    An entry is trimmed when every group has acked it, every projection has reported it as durable, and it is older than
    CLAUDE_COMM_KEEP_S or not among the newest CLAUDE_COMM_KEEP_ENTRIES. Bytes are an estimate of the server. With
    --jobs or --logs it tidies these instead, which end by themselves as well.
    """
    settings = settings_of_process()
    if jobs or logs:
        _tidy(settings, jobs=jobs, logs=logs, dry_run=dry_run, as_json=as_json)
        return
    rows = trimmed(settings, dry_run=dry_run)
    if as_json:
        emit_json(rows)
        return
    if not rows:
        say("no streams yet.")
        return
    trimmed_column = "would trim" if dry_run else "trimmed"
    cells = [[row.stream, row.entries, formats.size(row.bytes), row.held or "-"] for row in rows]
    emit_table(["stream", *numbers(trimmed_column, "freed"), Column("held by", "wrap")], cells)


def _tidy(settings: Settings, *, jobs: bool, logs: bool, dry_run: bool, as_json: bool) -> None:
    """What is no stream: jobs that have ended, logs."""
    done: dict[str, int] = {}
    if jobs:
        keys = Keys(settings.namespace)
        with connect(settings) as client:
            ended = client.run(kept_jobs.kept(keys)).ended if dry_run else client.run(kept_jobs.remove_ended(keys))
        done["jobs"] = ended
    if logs:
        done["log_bytes"] = _empty_logs(settings, dry_run=dry_run)
    if as_json:
        emit_json(done)
        return
    if jobs:
        say(f"{'would remove' if dry_run else 'removed'} {done['jobs']:,} negotiation jobs that have ended.")
    if logs:
        taken = formats.size(done["log_bytes"])
        say(f"{taken} of logs {'would be' if dry_run else 'are'} kept as older parts (NAME.log.1) in {settings.home}.")


def _empty_logs(settings: Settings, *, dry_run: bool) -> int:
    """How much they held. Raises ConfigurationError for one that cannot be copied or emptied."""
    held = 0
    for path in home.log_files(settings.home):
        try:
            held += path.stat().st_size
            if not dry_run:
                home.rotate(path, max_bytes=1)
        except OSError as error:
            raise ConfigurationError(f"the log {path} cannot be emptied: {error.strerror}.") from None
    return held


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
