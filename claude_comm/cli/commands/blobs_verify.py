"""The command `blobs verify`."""

from __future__ import annotations

import typer

from claude_comm.blobs import BlobStore
from claude_comm.cli.options import AsJson
from claude_comm.errors import BlobDamaged, BlobMissing
from claude_comm.terminal.output import emit, emit_json, say


def command(as_json: AsJson = False) -> None:
    """Read every chunk of large payloads, and name those that were changed.

    Exits with 1 if there is one.
    """
    store = BlobStore().store
    damaged, count = [], 0
    for chunk in store.chunks():
        count += 1
        try:
            store.get(chunk.digest)
        except BlobMissing:
            count -= 1  # it was removed meanwhile
        except BlobDamaged as error:
            damaged.append(error.digest)
    if as_json:
        emit_json({"chunks": count, "damaged": damaged})
    else:
        for digest in damaged:
            emit(digest)
        say(f"{count:,} chunks read, {len(damaged):,} damaged.")
    raise typer.Exit(1 if damaged else 0)
