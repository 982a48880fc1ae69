"""The n-th call fails, for every n: a small piece of work, done again where it failed, loses and doubles nothing."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from claude_comm import Consumer, Publisher
from claude_comm.client.publisher import outbox_sender
from claude_comm.errors import ClaudeCommError, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.chaos import wires
from tests.support.waiting import PATIENCE_S

T = TypeVar("T")
MESSAGES = 3
_numbers = itertools.count()


class Nth:
    """Fails the n-th call, once: before it is made, or after it was answered."""

    def __init__(self, number: int, when: str, error: Callable[[], Exception]) -> None:
        self.failed = ""
        self._number, self._when, self._error = number, when, error
        self._seen, self._lock = 0, threading.Lock()

    def before(self, names: Sequence[str]) -> None:
        self._pass("before", names)

    def after(self, names: Sequence[str]) -> None:
        self._pass("after", names)

    def _pass(self, when: str, names: Sequence[str]) -> None:
        if when != self._when:
            return
        with self._lock:
            self._seen += 1
            if self._seen != self._number:
                return
            self.failed = " ".join(names)
        raise self._error()


class Work:
    """Three messages from a publisher with an outbox to a consumer and a projection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.returned: list[int] = []
        self.tried = 0
        self.handled: list[int] = []

    def all(self) -> None:
        self._publish()
        self._consume()
        self._project()

    def stored(self) -> list[int]:
        with open_database(self._settings.database) as database:
            return [msgspec.msgpack.decode(data) for (data,) in database.rows("SELECT data FROM messages")]

    def _publish(self) -> None:
        outbox = self._settings.home / "outbox.db"
        with insist(lambda: Publisher("a", settings=self._settings, outbox=outbox)) as publisher:
            insist(lambda: self._publish_next(publisher))
            # What was promised is sent by a thread: gone when nothing is left that the server has not confirmed.
            insist(lambda: self._landed(outbox))

    def _publish_next(self, publisher: Publisher) -> None:
        while len(self.returned) < MESSAGES:
            # A publish that raised may have been sent: its number is not used again.
            number, self.tried = self.tried, self.tried + 1
            publisher.publish("b", number)
            self.returned.append(number)

    def _landed(self, outbox: Path) -> None:
        with connect(self._settings) as client:
            found = {msgspec.msgpack.decode(body)["data"] for body in _bodies(client, Keys(self._settings.namespace))}
        if not found >= set(self.returned):
            raise Unfinished

    def _consume(self) -> None:
        consumer = Consumer("b", settings=self._settings, instance="b-1", batch=2, lease_s=0.2)

        def turn() -> None:
            for delivery in consumer.read(wait_s=0.02):
                self.handled.append(delivery.payload())
                consumer.ack(delivery)
            if not set(self.handled) >= set(self.returned):
                raise Unfinished

        insist(turn)
        insist(consumer.flush)
        insist(consumer.close)

    def _project(self) -> None:
        keys, limit = Keys(self._settings.namespace), self._settings.max_envelope_bytes

        def turn() -> None:
            with connect(self._settings) as client, open_database(self._settings.database) as database:
                catch_up(client, database, keys, max_bytes=limit)

        insist(turn)


class Unfinished(Exception):
    """Not there yet: look again."""


def insist(step: Callable[[], T]) -> T:
    """Does the step until it does not fail."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return step()
        except (ClaudeCommError, Unfinished):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def _bodies(client: object, keys: Keys) -> Iterator[bytes]:
    from claude_comm.effects import Command

    for _, pairs in client.data.one(Command(("XRANGE", keys.inbox("b"), "-", "+"))):  # type: ignore[attr-defined]
        yield pairs[1]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox looks around more often than it has to."""
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.01)


def unreachable() -> Exception:
    return ServerUnreachable("redis://somewhere", "the link was cut")


def locked() -> Exception:
    return _sqlite("database is locked", sqlite3.SQLITE_BUSY)


def full() -> Exception:
    return _sqlite("database or disk is full", sqlite3.SQLITE_FULL)


def _sqlite(words: str, code: int) -> Exception:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("around", "when", "error"),
    [
        pytest.param(wires.on_server, "before", unreachable, id="a call to the server is not sent"),
        pytest.param(wires.on_server, "after", unreachable, id="a call to the server is done, its reply lost"),
        pytest.param(
            wires.on_sqlite, "before", locked, id="a statement meets a locked database", marks=pytest.mark.long
        ),
        pytest.param(wires.on_sqlite, "before", full, id="a statement meets a full disk", marks=pytest.mark.long),
    ],
)
def test_whichever_call_fails_nothing_is_lost_or_doubled_when(
    settings: Settings,
    tmp_path: Path,
    around: Callable[[wires.Hook], Callable[[], None]],
    when: str,
    error: Callable[[], Exception],
) -> None:
    for number in itertools.count(1):
        name = f"n{next(_numbers)}"
        mine = msgspec.structs.replace(settings, home=tmp_path / name, namespace=f"{settings.namespace}-{name}")
        hook, work = Nth(number, when, error), Work(mine)
        off = around(hook)
        try:
            work.all()
        finally:
            off()
        where = f"call {number} ({hook.failed or 'none'}) failed"
        stored = work.stored()
        assert set(work.handled) >= set(work.returned), where
        assert set(stored) >= set(work.returned), where
        assert len(stored) == len(set(stored)), where
        assert set(stored) <= set(range(work.tried)), where
        if not hook.failed:
            assert number > 20, "that is too few calls to be the whole work"
            return
