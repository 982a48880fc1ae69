"""Modules start in any order; a registry that was lost is told again by those who live. No message is the victim."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from claude_comm import Context, Module, Publisher, RetryPolicy, Settings
from claude_comm.cli import status_report
from claude_comm.envelope import decode
from claude_comm.names import Keys
from claude_comm.ops.heartbeats import HEARTBEAT_MS
from claude_comm.progress.events import Retried, decode_event
from tests.chaos.server import ChaosServer
from tests.support.modules import running
from tests.support.waiting import wait_until

KEYS = Keys("order")
LIMIT = 7


@pytest.fixture
def server(home: Path) -> Iterator[ChaosServer]:
    """One without a file: it forgets all when it is started again."""
    made = ChaosServer(home / "s", "off")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def settings(server: ChaosServer, home: Path) -> Settings:
    return Settings(home=home, url=f"unix://{server.socket}", namespace=KEYS.namespace, log_level="error")


class Chain:
    """first → second → third, each agreeing with the next one before it sends."""

    def __init__(self, settings: Settings, *, attempts: int = 1) -> None:
        self.handled: list[int] = []
        self._settings, self._retry = settings, RetryPolicy(attempts=attempts, first_wait_s=0.01)
        self.modules = [self._sending("first", "second"), self._sending("second", "third"), self._last()]

    def _sending(self, name: str, following: str) -> Module:
        # What waits uses up no attempt: one is enough.
        module = Module(name, settings=self._settings, max_lag=LIMIT, retry=self._retry)
        module.produces("number", int, target=following)

        @module.handles("number")
        def pass_on(number: int, context: Context) -> None:
            context.send(following, number, type="number")

        return module

    def _last(self) -> Module:
        module = Module("third", settings=self._settings, max_lag=LIMIT)

        @module.handles("number")
        def note(number: int) -> None:
            self.handled.append(number)

        return module


def buried(client: redis.Redis) -> int:
    return sum(client.xlen(KEYS.dead(name)) for name in ("first", "second", "third"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_that_starts_in_any_order_handles_what_came_first(
    settings: Settings, server: ChaosServer, order: tuple[int, ...]
) -> None:
    chain = Chain(settings)
    with Publisher("a", settings=settings) as publisher, ExitStack() as stack, server.client() as client:
        publisher.publish("first", 1, type="number")
        for number in order:
            stack.enter_context(running(chain.modules[number]))
            wait_until(lambda name=chain.modules[number].name: client.hexists(KEYS.modules, name))
        wait_until(lambda: chain.handled == [1])
        assert buried(client) == 0


def test_a_sender_waits_for_a_contract_and_status_says_who_waits_for_whom(
    settings: Settings, server: ChaosServer, capfd: pytest.CaptureFixture[str]
) -> None:
    chain = Chain(msgspec.structs.replace(settings, log_level="warning-json"))
    first, second, third = chain.modules
    with Publisher("a", settings=settings) as publisher, server.client() as client, running(first):
        publisher.publish_many("first", [1, 2], type="number")
        wait_until(lambda: status_report.look(settings).awaited == {"first": ["second"]})
        # Several looks at each of the two, and one attempt.
        wait_until(lambda: len(client.xrange(KEYS.events("first"))) > 7)
        assert capfd.readouterr().err.count("module.awaited") == 1
        # Nor is any of them one: the first failure after the wait is the first.
        told = [decode_event(decode(fields[b"e"]).data) for _, fields in client.xrange(KEYS.events("first"))]
        assert {event.delivery.attempts for event in told if isinstance(event, Retried)} == {1}
        with running(second), running(third):
            wait_until(lambda: sorted(chain.handled) == [1, 2])
        assert buried(client) == 0


def test_it_does_not_wait_for_ever(settings: Settings, server: ChaosServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is older than the longest wait fails like any other: it is tried again, and buried."""
    monkeypatch.setattr("claude_comm.client.module.endings.LONGEST_WAIT_S", 0.0)
    first, _, _ = Chain(settings).modules
    with Publisher("a", settings=settings) as publisher, server.client() as client, running(first):
        publisher.publish("first", 1, type="number")
        wait_until(lambda: buried(client) == 1)
        ((_, fields),) = client.xrange(KEYS.dead("first"))
    assert b"second" in fields[b"reason"]
    assert int(fields[b"attempts"]) == first.retry.attempts


@pytest.mark.parametrize("lost", ["flushed", "restarted without a file"])
def test_a_lost_registry_is_told_again_and_nothing_is_buried_meanwhile(
    settings: Settings, server: ChaosServer, lost: str
) -> None:
    chain = Chain(settings)
    with ExitStack() as stack, server.client() as client:
        for module in chain.modules:
            stack.enter_context(running(module))
        publisher = stack.enter_context(Publisher("a", settings=settings))
        publisher.publish("first", 0, type="number")
        wait_until(lambda: chain.handled == [0])
        if lost == "flushed":
            client.flushall()
        else:
            server.kill()
            server.start()
        # Before anybody has told anything again, and while they do.
        for number in range(1, 6):
            publisher.publish("first", number, type="number")
        wait_until(lambda: all(told(client, module) for module in chain.modules), what="contracts, limits and groups")
        wait_until(lambda: set(range(1, 6)) <= set(chain.handled))
        assert buried(client) == 0


def told(client: redis.Redis, module: Module) -> bool:
    contract: Any = client.hget(KEYS.modules, module.name)
    inbox = KEYS.inbox(module.name)
    groups = client.xinfo_groups(inbox) if client.exists(inbox) else []
    return (
        contract is not None
        and client.hget(KEYS.limits, module.name) == str(LIMIT).encode()
        and [group["name"] for group in groups] == [module.name.encode()]
        and client.sismember(KEYS.streams, inbox)
    )


def test_a_sender_that_negotiates_anew_after_the_loss_waits_for_the_contract(
    settings: Settings, server: ChaosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is the first to be back, as after a restart of everything."""
    chain = Chain(settings)
    _, second, third = chain.modules
    told_late = threading.Event()
    with running(third), server.client() as client:
        wait_until(lambda: bool(client.hexists(KEYS.modules, "third")))
        # Those who run look for their contract every two seconds: here not before the sender has met the loss.
        monkeypatch.setattr("claude_comm.ops.registration.stands", lambda *_: _answer(told_late.is_set() is False))
        client.flushall()
        with running(second), Publisher("a", settings=settings) as publisher:
            publisher.publish("second", 1, type="number")
            wait_until(lambda: status_report.look(settings).awaited == {"second": ["third"]})
            told_late.set()
            monkeypatch.undo()
            wait_until(lambda: chain.handled == [1])
        assert buried(client) == 0
        assert HEARTBEAT_MS == 2_000, "how soon it is told again"


def _answer(value: bool) -> Iterator[bool]:
    return value
    yield
