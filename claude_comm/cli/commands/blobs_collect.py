"""The command `blobs collect`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.blobs import BlobStore
from claude_comm.cli import durations
from claude_comm.cli.options import AsJson
from claude_comm.client.blob_collection import collect
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="Keep chunks that were stored or requested within this time.")
    ] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove chunks of large payloads that no message names any more, after a day.

    It puts them aside, and removes them a day later; a chunk that is requested within the day comes back. It looks for
    names in every message on the server, including waiting, delayed and buried ones, in all namespaces, and in the
    projection of this home. If several servers or homes share the store, use `blobs prune`: this command does not see
    their messages.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        done = collect(
            client,
            BlobStore(settings).store,
            [settings.database],
            now_s=time.time(),
            grace_s=durations.seconds(grace),
            dry_run=dry_run,
        )
    if as_json:
        emit_json(done)
        return
    size = formats.size(done.bytes)
    said = "would be put aside" if dry_run else f"put aside, {done.removed:,} files removed"
    emit(f"{done.chunks:,} chunks, {done.named:,} old ones named, {done.put_aside:,} ({size}) {said}")
