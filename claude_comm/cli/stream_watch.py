"""Messages as they pass, read from the ends of the streams.

Law: a refresh reads a bounded number of entries, however many were written since the one before; what it passed over
is counted by the server, and reported. It writes nothing, and reads outside of any consumer group.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from claude_comm.cloudevents import readable
from claude_comm.names import Keys, Stream
from claude_comm.ops import follow
from claude_comm.ops.follow import Entries, Tail
from claude_comm.progress.events import Buried, Handled, Retried
from claude_comm.progress.fold import Happened, SentEntry, fold_page
from claude_comm.settings import Settings
from claude_comm.terminal.output import shorten
from claude_comm.transport.driver import Client

# Entries of all streams that one refresh reads at most, and of one at least.
MOST_ENTRIES = 1_000
LEAST_OF_ONE = 8
LIST_EVERY_S = 1.0
_PREVIEW_CHARACTERS = 240
# Messages whose outcomes are recognised.
_REMEMBERED = 20_000


class PassedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that passed. `kind` is `sent` for a message, else what a consumer made of it: `handled`, `retried` or
    `buried`, `took_ms` after it was sent. A message that is only known by its outcome has no target, type or data."""

    kind: str
    at_us: int
    id: str
    source: str
    target: str = ""
    type: str = ""
    session: str = ""
    consumer: str = ""
    took_ms: float | None = None
    attempts: int = 0
    reason: str = ""
    data: str = ""


class Glimpse(msgspec.Struct, frozen=True):
    """One refresh: what was read, how many entries were passed over, and how many messages there were in all."""

    passed: list[PassedMessage]
    passed_over: int
    messages: int


class WatchFilter(msgspec.Struct, frozen=True):
    """Which messages are shown; an empty field matches all. `failed` shows only outcomes: retried or buried."""

    source: str = ""
    target: str = ""
    type: str = ""
    session: str = ""
    failed: bool = False

    def lets(self, passed: PassedMessage) -> bool:
        if passed.kind != "sent":
            return self.source in ("", passed.source) and self.target in ("", passed.consumer)
        return (
            not self.failed
            and self.source in ("", passed.source)
            and self.target in ("", passed.target)
            and self.type in ("", passed.type)
            and self.session in ("", passed.session)
        )


class StreamWatch:
    """Where one view has read the streams up to."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client, self._keys = client, Keys(settings.namespace)
        self._max_bytes = settings.max_envelope_bytes
        self._streams: dict[str, Stream] = {}
        self._after: dict[str, str] = {}
        self._added: dict[str, int] = {}
        self._listed_s = 0.0
        self._active = 1
        self._list(from_start=False)

    def refresh(self) -> Glimpse:
        """What passed since the refresh before. Raises TransportError."""
        if time.monotonic() - self._listed_s > LIST_EVERY_S:
            self._list(from_start=True)
        count = max(MOST_ENTRIES // self._active, LEAST_OF_ONE)
        reach = self._client.data.reach
        pages = self._client.run(follow.read(self._after, count=count, reach=reach)) if self._after else {}
        self._active = max(len(pages), 1)
        crowded = [key for key, entries in pages.items() if len(entries) >= count]
        tails = self._client.run(follow.tails(crowded)) if crowded else {}
        newest = self._client.run(follow.newest(crowded, count=count)) if crowded else {}
        passed: list[PassedMessage] = []
        over = messages = 0
        for key, entries in pages.items():
            shown, new = self._moved(key, entries, tails.get(key), newest.get(key))
            passed += self._read(self._streams[key], shown)
            if self._streams[key].kind != "events":
                messages += new
                over += new - len(shown)
        return Glimpse(sorted(passed, key=lambda row: row.at_us), over, messages)

    def _moved(self, key: str, entries: Entries, tail: Tail | None, newest: Entries | None) -> tuple[Entries, int]:
        """The entries to show, and how many were added since the last refresh."""
        if tail is None or newest is None:
            self._after[key] = entries[-1][0].decode()
            self._added[key] += len(entries)
            return entries, len(entries)
        new = max(tail.added - self._added[key], len(entries))
        shown = newest[-min(new, len(newest)) :]
        self._after[key], self._added[key] = tail.last_id, tail.added
        return shown, max(new, len(shown))

    def _list(self, *, from_start: bool) -> None:
        """Streams that are new are read from their start, those that were there at the beginning from their end."""
        self._listed_s = time.monotonic()
        new = [s for s in self._client.run(follow.announced(self._keys)).streams if s.key not in self._streams]
        tails = self._client.run(follow.tails([stream.key for stream in new])) if new else {}
        for stream in new:
            if tail := tails.get(stream.key):
                self._streams[stream.key] = stream
                self._after[stream.key] = "0-0" if from_start else tail.last_id
                self._added[stream.key] = tail.added - tail.length if from_start else tail.added

    def _read(self, stream: Stream, entries: Entries) -> Iterable[PassedMessage]:
        for fact in fold_page(stream, entries, max_bytes=self._max_bytes):
            if isinstance(fact, SentEntry):
                yield _message(fact)
            elif isinstance(fact, Happened):
                yield from _outcomes(fact)


def _message(fact: SentEntry) -> PassedMessage:
    envelope = fact.envelope
    return PassedMessage(
        kind="sent",
        at_us=envelope.time,
        id=envelope.id,
        source=envelope.source,
        target=envelope.target,
        type=envelope.type,
        session=envelope.session,
        data=shorten(readable(envelope.data), _PREVIEW_CHARACTERS),
    )


def _outcomes(fact: Happened) -> Iterable[PassedMessage]:
    event = fact.event
    kind, deliveries, reason = "", [], ""
    if isinstance(event, Handled):
        kind, deliveries = "handled", event.deliveries
    elif isinstance(event, Retried | Buried):
        kind, deliveries, reason = "retried" if isinstance(event, Retried) else "buried", [event.delivery], event.reason
    for delivery in deliveries:
        yield PassedMessage(
            kind=kind,
            at_us=delivery.settled_us,
            id=delivery.id,
            source=delivery.source,
            consumer=fact.module,
            took_ms=max(delivery.settled_us - delivery.sent_us, 0) / 1000,
            attempts=delivery.attempts,
            reason=reason,
        )


class Matching:
    """What of a flow a filter lets through. An outcome does not say of which type or session its message is: where
    those are asked for, it is one of a message that was let through before."""

    def __init__(self, chosen: WatchFilter) -> None:
        self._chosen = chosen
        self._ids: dict[str, None] = {}

    def of(self, passed: Sequence[PassedMessage]) -> Iterator[PassedMessage]:
        chosen = self._chosen
        by_message = bool(chosen.type or chosen.session)
        for row in passed:
            if row.kind == "sent":
                if by_message and msgspec.structs.replace(chosen, failed=False).lets(row):
                    self._ids[row.id] = None
                if chosen.lets(row):
                    yield row
            elif chosen.failed and row.kind == "handled":
                continue
            elif row.id in self._ids if by_message else chosen.lets(row):
                yield row
        for id_ in list(self._ids)[:-_REMEMBERED]:
            del self._ids[id_]


class Recent:
    """The newest messages of a view, each with what became of it."""

    def __init__(self, chosen: WatchFilter, most: int) -> None:
        self._matching, self._most = Matching(chosen), most
        self._rows: dict[str, tuple[PassedMessage, PassedMessage | None]] = {}

    def add(self, passed: Sequence[PassedMessage]) -> None:
        for row in self._matching.of(passed):
            if row.kind == "sent":
                self._rows[row.id] = row, None
            elif row.id in self._rows:
                self._rows[row.id] = self._rows[row.id][0], row
            elif row.kind != "handled":
                self._rows[row.id] = row, row
        for id_ in list(self._rows)[: -self._most]:
            del self._rows[id_]

    def rows(self, count: int) -> list[tuple[PassedMessage, PassedMessage | None]]:
        """The newest last."""
        return list(self._rows.values())[-count:] if count > 0 else []
