"""Writes one batch of facts and the checkpoints behind it: all in one transaction.

Law: killed anywhere, the projection neither loses nor doubles a row. The checkpoints are read again inside the
transaction and what lies at or before them is dropped, so that any number of processes may project the same streams;
rows are unique on (source, id), so that a stream read again from its start adds nothing; and whatever is added up
(sessions, statuses, counters) comes from the rows that this transaction inserted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.progress.fold import Fact, Happened, Newer, SentEntry, UnreadableEntry, UntrustedEntry, session_changes
from claude_comm.store import adaptations, counters, deliveries, held, rows, session_members, session_totals, task_ends
from claude_comm.store.checkpoints import Checkpoint, load_in, position, save_in
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer
from claude_comm.store.traffic import Traffic


class FactPage(msgspec.Struct, frozen=True):
    """Facts of one stream in its order, as read in this epoch of it. Not empty. `doubts` are of those among them that
    are stored although they are not trusted; `packed`: an entry may have several facts."""

    stream: str
    epoch: int
    facts: Sequence[Fact]
    doubts: Sequence[UntrustedEntry] = ()
    packed: bool = False


class Projected(msgspec.Struct, frozen=True):
    """How many rows of each kind a batch added; entries that were there before count in none."""

    entries: int = 0
    messages: int = 0
    events: int = 0
    unreadable: int = 0
    newer: int = 0
    doubtful: int = 0

    def __add__(self, other: Projected) -> Projected:
        fields = (getattr(self, name) + getattr(other, name) for name in self.__struct_fields__)
        return Projected(*fields)


def project(database: Database, pages: Sequence[FactPage]) -> Projected:
    """Stores what is new in these pages, with their checkpoints. Raises StoreError, having stored nothing."""
    with database.write() as writer:
        fresh, moved, entries = _beyond_checkpoints(database, writer, pages)
        if not moved:
            return Projected()
        projected = store(writer, database, fresh) + Projected(entries=entries)
        if doubts := [doubt for page in pages if page.stream in moved for doubt in page.doubts]:
            # One that was there before is not added again.
            projected += Projected(doubtful=rows.insert_doubtful(writer, doubts))
        save_in(database, writer, moved)
    return projected


def store(writer: Writer, database: Database, facts: Sequence[Fact]) -> Projected:
    """Stores what is new of these facts, within the caller's transaction; its caller knows how many entries they are
    of."""
    names, traffic = database.names, Traffic()
    by_kind: dict[type[Fact], list[Any]] = {
        SentEntry: [],
        Happened: [],
        UnreadableEntry: [],
        Newer: [],
        UntrustedEntry: [],
    }
    for fact in facts:
        by_kind[type(fact)].append(fact)
    new = rows.insert_messages(writer, names, by_kind[SentEntry], database.max_payload_bytes)
    happened = rows.insert_events(writer, names, by_kind[Happened])
    settled = deliveries.store(writer, names, database.recent, happened, new, traffic)
    traffic.write(writer, new.first)
    rows.insert_file_operations(writer, happened)
    rows.upsert_progress(writer, happened)
    adaptations.add(writer, happened)
    counters.add(writer, happened)
    held.add(writer, names, happened)
    session_members.add(writer, happened)
    task_ends.add_lives(writer, happened)
    session_totals.add(writer, names, session_changes(new.sent, happened), settled)
    unreadable = rows.insert_unreadable(writer, by_kind[UnreadableEntry])
    newer = rows.insert_newer(writer, by_kind[Newer])
    doubtful = rows.insert_doubtful(writer, by_kind[UntrustedEntry])
    return Projected(0, len(new.sent), len(happened), unreadable, newer, doubtful)


def _beyond_checkpoints(
    database: Database, writer: Writer, pages: Sequence[FactPage]
) -> tuple[list[Fact], dict[str, Checkpoint], int]:
    """The facts after the checkpoints as they are now, where the checkpoints go, and of how many entries that is."""
    known = load_in(database, writer, {page.stream for page in pages})
    fresh: list[Fact] = []
    moved: dict[str, Checkpoint] = {}
    entries = 0
    for page in pages:
        at = moved.get(page.stream) or known.get(page.stream, Checkpoint())
        if at.epoch != page.epoch:
            continue
        start = bisect_right(page.facts, position(at.entry_id), key=lambda fact: position(fact.entry_id))
        facts = page.facts[start:]
        if facts:
            fresh.extend(facts if at.epoch == 1 else _not_pruned(writer, facts))
            passed = len({fact.entry_id for fact in facts}) if page.packed else len(facts)
            moved[page.stream] = Checkpoint(at.epoch, facts[-1].entry_id, at.entries + passed)
            entries += passed
    return fresh, moved, entries


def _not_pruned(writer: Writer, facts: Sequence[Fact]) -> list[Fact]:
    """A stream that is read again from its start: what retention has removed is known, though there is no row of it."""
    ((before_us,),) = writer.execute("SELECT before_us FROM pruned").fetchall()
    return [fact for fact in facts if not isinstance(fact, SentEntry | Happened) or fact.envelope.time >= before_us]
