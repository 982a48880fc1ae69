"""Entries that a newer release wrote, kept until this program can read them.

Law: an entry that this release cannot read because it is newer is neither passed over nor forgotten: its bytes are in
the table `newer`, in the transaction that moved the checkpoint past it. A program that knows what the entry needs folds
it from there, once, like any other.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from claude_comm.envelope import WIRE_VERSION
from claude_comm.names import Keys
from claude_comm.progress.events import KINDS
from claude_comm.progress.fold import SERVICE, Fact, Happened, Newer, SentEntry, fold
from claude_comm.store.database import Database
from claude_comm.store.project import Projected, store
from claude_comm.store.statements import Writer, records

# Bodies that are in memory at once.
_PAGE = 200

_READABLE = """
SELECT number, stream, entry_id, body, holder FROM newer WHERE number > ? AND needs IN ({}) ORDER BY number LIMIT ?
"""


class _Kept(msgspec.Struct, frozen=True):
    number: int
    stream: str
    entry_id: str
    body: bytes
    holder: str


def waiting(database: Database) -> int:
    """How many entries wait for a newer program."""
    ((count,),) = database.rows("SELECT count(*) FROM newer")
    return int(count)


def reread(database: Database, keys: Keys) -> Projected:
    """Folds the kept entries that this program can read; nothing is written where there are none."""
    needs = [need for (need,) in database.rows("SELECT DISTINCT needs FROM newer") if _known(need)]
    total, after = Projected(), 0
    while needs:
        with database.write() as writer:
            kept = _page(writer, needs, after)
            if not kept:
                break
            writer.executemany("DELETE FROM newer WHERE number = ?", [(entry.number,) for entry in kept])
            facts = [fact for entry in kept for fact in _folded(keys, entry)]
            total += store(writer, database, facts) + Projected(entries=len(kept))
            after = kept[-1].number
    return total


def _known(need: str) -> bool:
    kind, _, name = need.partition(" ")
    return name in KINDS if kind == "event" else name.isdigit() and int(name) <= WIRE_VERSION


def _page(writer: Writer, needs: list[str], after: int) -> list[_Kept]:
    sql = _READABLE.format(", ".join("?" * len(needs)))
    return records(writer.execute(sql, (after, *needs, _PAGE)), _Kept)


def _folded(keys: Keys, entry: _Kept) -> Iterator[Fact]:
    """None for a stream of another namespace, which this program does not follow, and none whose source is another one
    than signed it. What is newer still has the same holder."""
    stream = keys.parse_stream(entry.stream.encode())
    if stream is None:
        return
    anybody = not entry.holder or (entry.holder == SERVICE and stream.kind == "events")
    for fact in fold(stream, entry.entry_id, {b"e": entry.body}, max_bytes=len(entry.body)):
        if isinstance(fact, Newer):
            yield msgspec.structs.replace(fact, holder=entry.holder)
        elif anybody or not isinstance(fact, SentEntry | Happened) or fact.envelope.source == entry.holder:
            yield fact
