"""Bringing the projection up to the streams: the progress worker does it continuously, a reading command once.

Law: every read starts at the checkpoints as the database has them, so that several who catch up at once share the
work. Where nothing is new, it writes nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from claude_comm.names import Keys, Stream
from claude_comm.ops import follow
from claude_comm.ops.follow import Entries, Tail
from claude_comm.progress.fold import fold_page
from claude_comm.settings import Settings
from claude_comm.store import checkpoints, survey
from claude_comm.store.checkpoints import Checkpoint, position
from claude_comm.store.database import Database
from claude_comm.store.project import FactPage, Projected, project
from claude_comm.store.watermarks import WatermarkReporter, reporter_of
from claude_comm.transport.driver import Client

if TYPE_CHECKING:
    from claude_comm.store.page_trust import PageTrust

# What a page should hold in memory, and its bounds in entries. The first page is small, because nobody knows yet how
# large the messages are; beyond the largest, a transaction gains nothing.
PAGE_BYTES = 8 * 1024 * 1024
FIRST_ENTRIES = 512
MAX_ENTRIES = 4096


_NONE: Mapping[str, str] = {}


def trust_of(settings: Settings) -> PageTrust | None:
    """Who says which entries are believed; None where signatures are not looked at. Raises ConfigurationError."""
    if settings.signing == "off":
        return None
    from claude_comm.store.page_trust import PageTrust  # PyNaCl is an extra

    return PageTrust(settings)


class CatchUpStep(msgspec.Struct, frozen=True):
    """One page of all streams: what it added, which streams had entries and which none, how many entries to ask for
    next, and whether there are more already; and what was read `beside`."""

    projected: Projected
    read: frozenset[str]
    ended: frozenset[str]
    count: int
    behind: bool
    beside: Mapping[str, Entries] = {}


def step(
    client: Client,
    database: Database,
    streams: Iterable[Stream],
    *,
    count: int,
    max_bytes: int,
    block_ms: int = 0,
    behind: bool = False,
    beside: Mapping[str, str] = _NONE,
    trust: PageTrust | None = None,
) -> CatchUpStep:
    """Reads a page of up to `count` entries of each stream, waiting up to `block_ms` for the first (on a cluster: not
    at all), and stores it. One that is `behind` waits for nothing.

    `beside` are streams on the same server that are read along and not stored: the last id known of each. `trust` is
    who says which entries are believed, where signatures are looked at.
    Raises TransportError, or StoreError having stored nothing of the page.
    """
    by_key = {stream.key: stream for stream in streams}
    if trust is not None:
        client.run(trust.renew())
    known = checkpoints.load(database, by_key)
    points = {key: known.get(key, Checkpoint()) for key in by_key}
    after = {key: point.entry_id for key, point in points.items()}
    asked = set(after)
    if behind:
        events = {key for key in after if by_key[key].kind == "events"}
        entries_by_key, bounded = _read_behind(client, after, events, beside, count)
        asked -= events if bounded else set()
    else:
        reach = client.data.reach
        entries_by_key = client.run(follow.read({**after, **beside}, count=count, block_ms=block_ms, reach=reach))
    along = {key: entries_by_key.pop(key) for key in beside if key in entries_by_key}
    with _collecting_later():
        pages = [
            _page(by_key[key], points[key].epoch, entries, max_bytes, trust) for key, entries in entries_by_key.items()
        ]
        projected = project(database, pages) if pages else Projected()
    full = any(len(entries) >= count for entries in entries_by_key.values())
    ended = frozenset(asked.difference(entries_by_key))
    return CatchUpStep(projected, frozenset(entries_by_key), ended, next_count(count, entries_by_key), full, along)


def _page(stream: Stream, epoch: int, entries: Entries, max_bytes: int, trust: PageTrust | None) -> FactPage:
    facts = fold_page(stream, entries, max_bytes=max_bytes)
    packed = len(facts) > len(entries)
    if trust is None:
        return FactPage(stream.key, epoch, facts, packed=packed)
    weighed, doubts = trust.weighed(stream, entries, facts)
    return FactPage(stream.key, epoch, weighed, doubts, packed)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """A page is thousands of objects in no cycle: looking through them again and again takes up to a tenth."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _read_behind(
    client: Client, after: Mapping[str, str], events: Set[str], beside: Mapping[str, str], count: int
) -> tuple[dict[str, Entries], bool]:
    """Events no further than the messages that they are of: one that came first would be stored twice, once to wait.
    With it, whether they were bounded so.

    An event has one entry for up to hundreds of messages, so a page of both reaches much further in the events.
    """
    reach = client.data.reach
    messages = {key: id_ for key, id_ in after.items() if key not in events}
    entries = client.run(follow.read({**messages, **beside}, count=count, reach=reach))
    rest = {key: after[key] for key in events}
    ends = [entries[key][-1][0].decode() for key in messages if len(entries.get(key, ())) >= count]
    if ends:
        return entries | client.run(follow.read_until(rest, min(ends, key=position), count=count)), True
    return entries | client.run(follow.read(rest, count=count, reach=reach)), False


def catch_up(
    client: Client,
    database: Database,
    keys: Keys,
    *,
    max_bytes: int,
    progress: Callable[[int, int], None] = lambda _stored, _whole: None,
    trust: PageTrust | None = None,
    reporter: WatermarkReporter | None = None,
) -> int:
    """Stores everything that was in the streams when this was called; returns how many entries that took.

    What arrives meanwhile may be stored as well, but is not chased. With nothing new it costs two round trips.
    `max_bytes` is `settings.max_envelope_bytes`: it has no default, because a larger envelope counts as unreadable
    for good. `progress` is told after each page how many entries are stored, and about how many there were. `trust` is
    as in `step`; `reporter` tells others how far this got.
    """
    surveyed = survey.brief(client, database, keys)
    behind = survey.behind(checkpoints.load(database), surveyed.tails)
    count, stored = first_count(len(behind)), 0
    known = checkpoints.load(database) if behind else {}
    whole = sum(lag(known.get(key, Checkpoint()), surveyed.tails[key]) for key in behind)
    while behind:
        streams = [surveyed.streams[key] for key in behind]
        done = step(client, database, streams, count=count, max_bytes=max_bytes, behind=True, trust=trust)
        stored += done.projected.entries
        count = done.count
        progress(stored, max(whole, stored))
        # A stream that had nothing to read is at its end, whatever its last id was: that entry was deleted.
        behind = survey.behind(checkpoints.load(database), {key: surveyed.tails[key] for key in behind - done.ended})
    if stored:
        (reporter or WatermarkReporter()).report(client, database, keys)
    return stored


def caught_up(
    client: Client,
    database: Database,
    settings: Settings,
    *,
    progress: Callable[[int, int], None] = lambda _stored, _whole: None,
) -> int:
    """`catch_up` in the namespace, and with the trust, that these settings say."""
    return catch_up(
        client,
        database,
        Keys(settings.namespace),
        max_bytes=settings.max_envelope_bytes,
        progress=progress,
        trust=trust_of(settings),
        reporter=reporter_of(settings),
    )


def lag(point: Checkpoint, tail: Tail) -> int:
    """How many entries of a stream are not folded yet. Zero only at its end; otherwise exact, but for a stream that
    had single entries deleted, where it may be too high."""
    if tail.length == 0 or position(point.entry_id) >= position(tail.last_id):
        return 0
    return min(max(tail.added - point.entries, 1), tail.length)


def lags(client: Client, database: Database, keys: Keys) -> dict[str, int]:
    """How far behind the projection is, by stream key. Writes nothing."""
    known = checkpoints.load(database)
    streams = [stream.key for stream in client.run(follow.announced(keys)).streams]
    points = {key: known.get(key, Checkpoint()) for key in streams}
    # Those that have nothing after their checkpoint need not be asked where they end.
    ahead = survey.with_entries(client, keys, points) if len(streams) > survey.FEW else None
    asked = streams if ahead is None else list(ahead)
    tails = client.run(follow.tails(asked)) if asked else {}
    at_end = {} if ahead is None else dict.fromkeys(streams, 0)
    return at_end | {key: lag(points[key], tail) for key, tail in tails.items()}


def first_count(streams: int) -> int:
    """How many entries of each stream the first page asks for."""
    return max(FIRST_ENTRIES // max(streams, 1), 1)


def next_count(count: int, read: Mapping[str, Entries]) -> int:
    """How many entries of each stream to ask for next, given the sizes of those just read."""
    # What counts is the envelope, which stands first, and what else somebody may have put there.
    size = sum([max(len(fields[1]), len(fields[-1])) for entries in read.values() for _, fields in entries])
    if size > PAGE_BYTES:
        return max(count * PAGE_BYTES // size, 1)
    if size < PAGE_BYTES // 4 and any(len(entries) == count for entries in read.values()):
        return min(count * 2, max(MAX_ENTRIES // len(read), 1))
    return count
