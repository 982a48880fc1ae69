"""Which streams the progress worker reads, and how it learns of the others.

Law: whatever lies in an announced stream is read: within some milliseconds where its writer told of it (`ops.news`),
and within a round where nobody did. A stream is looked at before it is read, so that a new one gets its checkpoint,
and one whose ids moved backwards is read again from its start.

Theory of operation. Of ten thousand streams ten are written to. Those that are awake are read with one command that
waits, together with the stream of news, so news ends the wait as a message would. Each second the next part of those
that sleep is asked for its first entry that is not stored (one command for a thousand streams), a smaller part for its
last id, and the set of streams for how many there are. After a failure everything is surveyed once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from claude_comm import ids
from claude_comm.delivery.wakefulness import Wakefulness
from claude_comm.effects import Command, Operation
from claude_comm.names import Keys, Stream
from claude_comm.ops import follow, news
from claude_comm.ops.follow import Entries
from claude_comm.store import checkpoints, newer
from claude_comm.store.catch_up import CatchUpStep
from claude_comm.store.checkpoints import START, Checkpoint
from claude_comm.store.database import Database
from claude_comm.store.survey import Survey, look, survey, unread
from claude_comm.telemetry.logs import EventLog
from claude_comm.transport.driver import Client

# A read waits this long for the first entry: as long as whoever stops the worker waits for it.
BLOCK_MS = 400
# The same where news comes from another server than the messages, which no command can wait for together.
APART_BLOCK_MS = 50
# How often sleeping streams are asked for entries, and how many at once: of five hundred all, of ten thousand a tenth.
ROUND_EVERY_S, LEAST_A_ROUND, MOST_A_ROUND, ROUNDS = 1.0, 500, 1_000, 10
# On a cluster each is a command of its own; so is each look for a last id.
MOST_APART = 50
# How often those that are awake are looked at, for ids that moved backwards: every so many in a second at the most.
LOOK_S, LOOKED_PER_S = 5.0, 200


class Following:
    """The streams of a namespace as one worker follows them."""

    def __init__(self, client: Client, keys: Keys, log: EventLog) -> None:
        self._client, self._keys, self._log = client, keys, log
        self._together = client.control is client.data and client.data.reach == "server"
        self._known: Wakefulness | None = None
        self._position = START
        self._announced: set[str] = set()
        self._foreign: set[str] = set()
        self._round_at = self._look_at = 0.0

    @property
    def awake(self) -> bool:
        return self._known is not None and bool(self._known.awake)

    @property
    def block_ms(self) -> int:
        return BLOCK_MS if self._together else APART_BLOCK_MS

    @property
    def beside(self) -> Mapping[str, str]:
        """The stream of news, where one command reads it with the others, and the position in it."""
        return {self._keys.news: self._position} if self._together else {}

    def begin_anew(self) -> None:
        """Nothing is known of what happened meanwhile."""
        self._known = None

    def turn(self, database: Database) -> list[Stream]:
        """What is to be read now, looked at as far as it is time. Raises TransportError, StoreError."""
        now = time.monotonic()
        known = self._known or self._begin(database, now)
        if not self._together:
            self._hear(known, database, now)
        if now >= self._round_at:
            self._round_at = now + ROUND_EVERY_S
            known.rest(now)
            told_until, streams = self._client.run(_ends(self._keys))
            if ids.position(told_until) < ids.position(self._position):
                # The registry was emptied, or restored: what is told from now on would not be heard.
                known = self._begin(database, now)
            if streams != len(self._announced):
                self._list(known, database, now)
            self._next_round(known, database, now)
        if now >= self._look_at:
            awake = {stream.key: stream for stream in known.awake}
            self._look_at = now + max(LOOK_S, len(awake) / LOOKED_PER_S)
            newer.reread(database, self._keys)
            self._look(database, awake)
        return known.awake

    def read(self, done: CatchUpStep, database: Database) -> None:
        """What a read of these streams brought, and of the news beside them."""
        if self._known is None:
            return
        now = time.monotonic()
        if done.read:
            self._known.read(done.read, now)
        if rows := done.beside.get(self._keys.news):
            self._heed(self._known, database, rows, now)

    def _begin(self, database: Database, now: float) -> Wakefulness:
        """Everything that was written to lately, and all that has more than is stored, is awake."""
        latest_ms, _ = ids.position(self._client.run(news.now(self._keys)))
        position = f"{max(latest_ms - int(news.AWAKE_S * 1000), 0)}-0"
        seen = survey(self._client, database, self._keys)
        self._tell(seen)
        known = Wakefulness(news.AWAKE_S)
        known.know(seen.streams.values())
        self._announced = set(seen.streams)
        known.wake(unread(database, seen), now)
        self._known, self._position = known, position
        self._look_at = now + LOOK_S
        self._hear(known, database, now)
        return known

    def _hear(self, known: Wakefulness, database: Database, now: float) -> None:
        """All news after the last."""
        while True:
            heard = self._client.run(news.after(self._keys, self._position))
            moved, self._position = heard.last_id != self._position, heard.last_id
            self._wake(known, database, heard.streams, now)
            if not (moved and heard.lost):
                return

    def _heed(self, known: Wakefulness, database: Database, rows: Entries, now: float) -> None:
        heard = news.heard(self._keys, self._position, rows)
        self._position = heard.last_id
        self._wake(known, database, heard.streams, now)

    def _wake(self, known: Wakefulness, database: Database, streams: Mapping[str, Stream], now: float) -> None:
        self._announced.update(streams)
        known.know(streams.values())
        slept = known.wake(streams, now)
        self._look(database, {key: known.streams[key] for key in slept})

    def _list(self, known: Wakefulness, database: Database, now: float) -> None:
        """Streams that were announced without news, as an older release does it."""
        announced = self._client.run(follow.announced(self._keys))
        self._announced = {stream.key for stream in announced.streams}
        self._announced.update(repr(key) for key in announced.foreign)
        new = known.know(announced.streams)
        self._tell(Survey({}, {}, [], [key.decode("utf-8", "backslashreplace") for key in announced.foreign]))
        known.wake(new, now)
        self._look(database, {key: known.streams[key] for key in new})

    def _next_round(self, known: Wakefulness, database: Database, now: float) -> None:
        most = min(max(len(known.streams) // ROUNDS, LEAST_A_ROUND), MOST_A_ROUND)
        apart = self._client.data.reach == "cluster"
        asleep = known.next_asleep(MOST_APART if apart else most)
        points = checkpoints.load(database, asleep)
        after = {key: points.get(key, Checkpoint()).entry_id for key in asleep}
        entries = self._client.run(follow.read(after, count=1, reach=self._client.data.reach))
        known.wake(entries, now)
        looked = {*entries, *asleep[:MOST_APART]}
        self._look(database, {key: known.streams[key] for key in looked})

    def _look(self, database: Database, streams: Mapping[str, Stream]) -> None:
        """Gives new ones their checkpoint, and begins those anew whose ids moved backwards."""
        if streams:
            seen = look(self._client, database, streams)
            self._tell(seen)
            if self._known is not None:
                self._known.forget(seen.foreign)
                self._known.wake(seen.moved, time.monotonic())

    def _tell(self, seen: Survey) -> None:
        for key in seen.moved:
            self._log.warning("projection.stream_moved", stream=key)
        for key in set(seen.foreign) - self._foreign:
            self._log.warning("projection.not_a_stream", key=key)
        self._foreign.update(seen.foreign)


def _ends(keys: Keys) -> Operation[tuple[str, int]]:
    """The position of the last news, and how many streams are announced."""
    last_id = yield from news.now(keys)
    return last_id, int((yield Command(("SCARD", keys.streams), on="control")))
