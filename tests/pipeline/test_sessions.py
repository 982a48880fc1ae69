"""The records of runs: what anybody may have written there, how long they last, and what is left when they are over."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from claude_comm import Settings
from claude_comm.client.identity import micros
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import sessions
from claude_comm.pipeline import session as records
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.session import FORGOTTEN_US, KEPT_US, RunSession, UnreadableSession
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, run, step, up
from workers.janitor import Janitor


def ask(client: Client, *words: Any) -> Any:
    return client.data.one(Command(words))


@pytest.fixture
def ended(client: Client, settings: Settings) -> RunSession:
    """A run of two branches that has ended."""
    pipeline = document(step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"]))

    def same(payload: Any) -> Any:
        return payload

    with up(client, settings, *(module(settings, name, same) for name in "abcd")):
        return run(client, settings, prepared(client, settings, pipeline), [1, 2]).session


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"v": 99}', b'{"session": "s", "route": ["a b"]}'])
def test_a_record_that_somebody_else_wrote_is_none(client: Client, keys: Keys, text: bytes) -> None:
    ask(client, "HSET", keys.sessions, "s", text)
    assert client.run(sessions.everything(keys)) == []
    with pytest.raises(UnreadableSession):
        client.run(sessions.find(keys, "s"))


def test_a_record_comes_back_as_it_was_stored(client: Client, keys: Keys, ended: RunSession) -> None:
    assert client.run(sessions.find(keys, "s")) == ended
    assert (ended.state, ended.sent, ended.total) == ("complete", 2, 2)
    assert records.decode(records.encode(ended)) == ended


def test_the_janitor_keeps_what_lives_and_removes_what_is_over(
    client: Client, settings: Settings, keys: Keys, ended: RunSession
) -> None:
    janitor = Janitor(client, settings, threading.Event(), get_logger("error"))
    results, parts = keys.inbox(collector("s")), keys.join("d", "s")
    ask(client, "PEXPIRE", parts, 5_000)

    def look(**changes: Any) -> None:
        client.run(sessions.store(keys, msgspec.structs.replace(ended, **changes)))
        janitor._look_after_sessions()

    look(state="running", touched_us=micros() - FORGOTTEN_US + 10**9)
    assert int(ask(client, "PTTL", parts)) > 10_000
    assert ask(client, "XLEN", results) == 2
    look(touched_us=micros() - KEPT_US + 10**9)
    assert ask(client, "EXISTS", results, parts) == 2
    look(touched_us=micros() - KEPT_US - 10**6)
    assert ask(client, "EXISTS", results, parts, keys.sessions) == 0
    assert not ask(client, "SISMEMBER", keys.streams, results)


def test_results_are_kept_for_a_day_after_the_end(client: Client, keys: Keys, ended: RunSession) -> None:
    left_ms = int(ask(client, "PTTL", keys.inbox(collector(ended.session))))
    assert KEPT_US / 1000 - 60_000 < left_ms <= KEPT_US / 1000
