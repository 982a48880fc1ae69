"""Collecting large payloads that nobody names any more: mark and sweep over everything that may name one.

Law: what is named is never removed. Marked is every digest that any message of the server may have (inboxes, topics,
delayed, buried, replies, parts of joins, events, of all its namespaces) and any that this home's projections keep.
Whoever puts a chunk renews it, so one that was used within the grace is left alone; what is swept is put aside first,
comes back when it is asked for, and is removed a day later. An outbox renews what its messages name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec

from claude_comm.blobs.marking import digests_in
from claude_comm.blobs.store import ChunkStore
from claude_comm.effects import Operation
from claude_comm.errors import StoreError
from claude_comm.ops import everything
from claude_comm.transport.driver import Client

GRACE_S = DAY_S = 24 * 3600.0
_TABLES = ("packed_messages", "packed_events", "newer")


class Collected(msgspec.Struct, frozen=True):
    """What a collection did, or would: chunks in the store, those that something names, those within the grace, those
    put aside with their bytes, and how many files of earlier collections were removed."""

    chunks: int
    named: int
    young: int
    put_aside: int
    bytes: int
    removed: int
    dry_run: bool


def collect(
    client: Client, store: ChunkStore, databases: list[Path], *, now_s: float, grace_s: float = GRACE_S, dry_run: bool
) -> Collected:
    """Puts aside what is old and named by nobody, and removes what was put aside a day ago. Raises TransportError when
    not everything that may name a chunk can be read, having removed nothing."""
    before, chunks = now_s - grace_s, list(store.chunks())
    old = {chunk.digest: chunk for chunk in chunks if chunk.at < before}
    named = _marked(client, databases, set(old)) if old else set()
    swept = [chunk for digest, chunk in old.items() if digest not in named]
    if not dry_run:
        swept = [chunk for chunk in swept if store.discard(chunk.digest, before=before)]
    return Collected(
        chunks=len(chunks),
        named=len(named),
        young=len(chunks) - len(old),
        put_aside=len(swept),
        bytes=sum(chunk.size for chunk in swept),
        removed=0 if dry_run else store.empty_trash(now_s - DAY_S),
        dry_run=dry_run,
    )


def _marked(client: Client, databases: list[Path], candidates: set[bytes]) -> set[bytes]:
    named: set[bytes] = set()
    for marked in client.run_on_each(lambda: _on_server(candidates)):
        named |= marked
    for path in databases:
        for data in _kept(path):
            named.update(candidates.intersection(digests_in(data)))
    return named


def _on_server(candidates: set[bytes]) -> Operation[set[bytes]]:
    named: set[bytes] = set()
    for pattern in everything.patterns():
        cursor, more = 0, True
        while more:
            cursor, keys = yield from everything.keys_after(cursor, pattern)
            more = cursor != 0
            for key in keys:
                place, begun = b"", False
                while place or not begun:
                    begun = True
                    place, values = yield from everything.page(key, place)
                    for value in values:
                        named.update(candidates.intersection(digests_in(value)))
    return named


def _kept(path: Path) -> Iterator[bytes]:
    """The payloads in a projection."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            for table in _TABLES:
                column = "body" if table == "newer" else "data"
                for (data,) in database.execute(f"SELECT {column} FROM {table}"):
                    yield bytes(data)
    except sqlite3.Error as error:
        raise StoreError(f"the projection {path} cannot be read, so nothing is collected: {error}.") from None
