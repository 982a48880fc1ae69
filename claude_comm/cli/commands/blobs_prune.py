"""The command `blobs prune`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.blobs import BlobStore
from claude_comm.cli import durations
from claude_comm.cli.options import AsJson
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json

_DAY_S = 86_400


def command(
    older: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="The time since a chunk was last stored, such as 30d.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove chunks of large payloads that were stored long ago, after a day.

    Messages may still name them: choose a time longer than messages wait. A run puts the chunks aside; a chunk that is
    requested within a day comes back. Each run removes what earlier runs put aside more than a day ago, and what a
    killed writer left half-written.
    """
    store, now = BlobStore().store, time.time()
    before = now - durations.seconds(older)
    old = [chunk for chunk in store.chunks() if chunk.at < before]
    removed = 0
    if not dry_run:
        for chunk in old:
            store.discard(chunk.digest)
        removed = store.empty_trash(now - _DAY_S)
    taken = sum(chunk.size for chunk in old)
    if as_json:
        emit_json({"put_aside": len(old), "bytes": taken, "removed": removed, "dry_run": dry_run})
    else:
        said = "would be put aside" if dry_run else f"put aside, {removed:,} removed"
        emit(f"{len(old):,} chunks ({formats.size(taken)}) {said}")
