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
        str, typer.Option("--grace", metavar="TIME", help="What was stored or asked for within it stays.")
    ] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put chunks of large payloads aside that no message names any more.

    They are removed a day later. Looked through is every message on the server, also waiting, delayed and buried ones,
    of all its namespaces, and what the projection of this home keeps. A chunk that is asked for within the day comes
    back. For a store that several servers or homes share use `blobs prune`: their messages are not seen from here.
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
