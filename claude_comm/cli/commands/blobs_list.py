"""The command `blobs list`."""

from __future__ import annotations

from claude_comm.blobs import BlobStore
from claude_comm.cli.options import AsJson
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json


def command(as_json: AsJson = False) -> None:
    """Say how many chunks of large payloads the store has, and how much they take."""
    chunks = list(BlobStore().store.chunks())
    taken = sum(chunk.size for chunk in chunks)
    if as_json:
        emit_json({"chunks": len(chunks), "bytes": taken})
    else:
        emit(f"{len(chunks):,} chunks, {formats.size(taken)}")
