"""Sessions and tasks: told, inherited by handlers in other processes, and ended for those who died."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from claude_comm import AsyncModuleCommunicator, Module, ModuleCommunicator
from claude_comm.effects import Command, Operation
from claude_comm.errors import ConfigurationError, ServerRefused
from claude_comm.names import Keys
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.settings import Settings
from claude_comm.store import queries, session_members
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until

MEMBERS = "SELECT module, outcome, reason FROM session_members WHERE session = ? ORDER BY opened_us"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with open_database(settings.database) as opened:
        yield opened


@pytest.fixture
def stored(client: Client, database: Database, settings: Settings) -> Callable[[], Database]:
    """The projection, brought up to date."""

    def caught_up() -> Database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
        return database

    return caught_up


def test_a_session_says_when_it_starts_and_how_it_ends(settings: Settings, stored: Callable[[], Database]) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta:
        with sparta.session("good"):
            assert sparta.current_session == "good"
            assert stored().rows(MEMBERS, ("good",)) == [("sparta", "", "")]
        with pytest.raises(KeyError), sparta.session("bad"):
            raise KeyError("total")
        assert sparta.current_session == ""
    assert stored().rows(MEMBERS, ("good",)) == [("sparta", "completed", "")]
    assert stored().rows(MEMBERS, ("bad",)) == [("sparta", "failed", "KeyError: 'total'")]


@pytest.mark.parametrize("awaited", [True, False])
def test_the_asyncio_face_tells_the_same(settings: Settings, stored: Callable[[], Database], awaited: bool) -> None:
    async def scenario() -> None:
        async with AsyncModuleCommunicator("sparta", settings=settings) as sparta:
            if awaited:
                async with sparta.session("s"):
                    await sparta.send_message("sparta", "marker", {})
            else:
                with sparta.session("s"):
                    await sparta.send_message("sparta", "marker", {})

    asyncio.run(scenario())
    assert stored().rows(MEMBERS, ("s",)) == [("sparta", "completed", "")]
    assert [row.session for row in queries.messages(stored())] == ["s"]


def test_a_handler_is_in_the_session_of_its_message(settings: Settings) -> None:
    seen: list[tuple[str, str]] = []
    module, talker = Module("marker", settings=settings), ModuleCommunicator("marker", settings=settings)

    @module.handles("plain")
    def plain(_: dict[str, Any]) -> None:
        seen.append(("plain", talker.current_session))
        if len(seen) == 2:
            module.stop()

    with talker, ModuleCommunicator("sparta", settings=settings) as sparta:
        with sparta.session("s"):
            sparta.send_message("sparta", "marker", {}, type="plain")
        sparta.send_message("sparta", "marker", {}, type="plain")
        module.run()
    assert seen == [("plain", "s"), ("plain", "")]


def test_an_async_handler_is_in_the_session_of_its_message(settings: Settings) -> None:
    seen: list[str] = []
    module, talker = Module("marker", settings=settings), ModuleCommunicator("marker", settings=settings)

    @module.handles("message")
    async def handle(_: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        seen.append(talker.current_session)
        if len(seen) == 3:
            module.stop()

    with talker, ModuleCommunicator("sparta", settings=settings) as sparta:
        with sparta.session("s"):
            sparta.send_message("sparta", "marker", {})
        sparta.send_message("sparta", "marker", {})
        with sparta.session("t"):
            sparta.send_message("sparta", "marker", {})
        module.run()
    assert seen == ["s", "", "t"]


def test_a_session_whose_process_is_killed_ends(
    settings: Settings, environ: dict[str, str], client: Client, stored: Callable[[], Database]
) -> None:
    program = (
        "import os, signal\nfrom claude_comm import ModuleCommunicator\n"
        "with ModuleCommunicator('sparta') as c, c.session('s'): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    database, now_us = stored(), time.time_ns() // 1000
    keys = Keys(settings.namespace)
    assert session_members.end_dead(client, database, keys, now_us, max_bytes=2**20) == 0
    later_us = now_us + GONE_MS * 1000 + 1_000_000
    # Two projections that miss it tell one event.
    for _ in range(2):
        assert session_members.end_dead(client, database, keys, later_us, max_bytes=2**20) == 1
    [(module, outcome, reason)] = stored().rows(MEMBERS, ("s",))
    assert (module, outcome) == ("sparta", "died")
    assert "sign of life" in reason
    assert database.rows("SELECT count(*) FROM events WHERE kind = 'session'") == [(2,)]


def test_a_session_whose_process_lives_is_left_alone(
    settings: Settings, client: Client, stored: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_comm.client.communicator.session_heart.HEARTBEAT_MS", 20)
    keys = Keys(settings.namespace)
    with ModuleCommunicator("sparta", settings=settings) as sparta, sparta.session("s"):
        wait_until(lambda: _members(client, keys))
        soon_us = time.time_ns() // 1000 + GONE_MS * 1000 - 1_000_000
        database = stored()
        assert session_members.end_dead(client, database, keys, soon_us, max_bytes=2**20) == 0
    assert not _members(client, keys)


def test_an_end_that_was_told_late_stands(settings: Settings, client: Client, stored: Callable[[], Database]) -> None:
    """A process that was stopped for a minute, and went on."""
    keys = Keys(settings.namespace)
    with ModuleCommunicator("sparta", settings=settings) as sparta, sparta.session("s"):
        later_us = time.time_ns() // 1000 + 3 * GONE_MS * 1000
        assert session_members.end_dead(client, stored(), keys, later_us, max_bytes=2**20) == 1
        assert stored().rows(MEMBERS, ("s",))[0][1] == "died"
    assert stored().rows(MEMBERS, ("s",))[0][1] == "completed"


def test_a_loop_reports_its_progress_and_what_is_within_it_is_a_part_of_it(
    settings: Settings, stored: Callable[[], Database]
) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta:
        seen = []
        for book in sparta.progress(["a", "b"], task="books"):
            seen += [(book, page) for page in sparta.progress(iter(range(3)), task=f"pages of {book}")]
            sparta.track_progress("footnotes", 1, 5)
    assert seen == [(book, page) for book in "ab" for page in range(3)]
    tasks = {row.task: row for row in queries.progress(stored())}
    assert {(row.task, row.completed, row.total, row.parent, row.state) for row in tasks.values()} == {
        ("books", 2, 2, "", "completed"),
        ("pages of a", 3, 3, "books", "completed"),
        ("pages of b", 3, 3, "books", "completed"),
        ("footnotes", 1, 5, "books", "running"),
    }
    assert tasks["books"].rate > 0
    assert 0 < tasks["books"].started_us <= tasks["books"].time_us


def test_a_loop_that_ends_early_has_stopped_and_one_whose_items_fail_has_failed(
    settings: Settings, stored: Callable[[], Database]
) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the tape is torn")

    with ModuleCommunicator("sparta", settings=settings) as sparta:
        for _ in sparta.progress(range(9), task="early"):
            break
        with pytest.raises(OSError, match="torn"):
            list(sparta.progress(items(), task="torn", total=5))
    tasks = {row.task: (row.state, row.completed, row.total) for row in queries.progress(stored())}
    assert tasks == {"early": ("stopped", 0, 9), "torn": ("failed", 1, 5)}


def test_the_asyncio_face_takes_both_kinds_of_items(settings: Settings, stored: Callable[[], Database]) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(4):
            yield number

    async def scenario() -> list[int]:
        async with AsyncModuleCommunicator("sparta", settings=settings) as sparta:
            first = [item async for item in sparta.progress(numbers(), task="async", total=4)]
            return first + [item async for item in sparta.progress([7], task="plain")]

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 7]
    assert {row.task: row.state for row in queries.progress(stored())} == {"async": "completed", "plain": "completed"}


def test_a_fast_loop_is_reported_on_a_few_times(settings: Settings, stored: Callable[[], Database]) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta:
        started_s = time.monotonic()
        assert sum(1 for _ in sparta.progress(range(5_000), task="fast")) == 5_000
        elapsed_s = time.monotonic() - started_s
    [(reports,)] = stored().rows("SELECT count(*) FROM events WHERE kind = 'progress'")
    assert 2 <= reports <= 3 + elapsed_s / 0.5


@pytest.mark.parametrize("wrong", [{"task": ""}, {"task": 3}, {"task": "t", "total": -1}, {"task": "t", "total": "x"}])
def test_a_loop_refuses_what_is_no_task(settings: Settings, wrong: dict[str, Any]) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta, pytest.raises(ConfigurationError):
        sparta.progress([1], **wrong)


def _members(client: Client, keys: Keys) -> bool:

    def exists() -> Operation[int]:
        return (yield Command(("EXISTS", keys.session_members), on="control"))

    return bool(client.run(exists()))


def test_a_projection_that_may_not_tell_keeps_the_end_to_itself(
    settings: Settings, client: Client, stored: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Operation[None]:
        raise ServerRefused("NOPERM")
        yield

    monkeypatch.setattr("claude_comm.ops.consume.record", refuse)
    keys = Keys(settings.namespace)
    sparta = ModuleCommunicator("sparta", settings=settings)
    sparta.session("s").start()
    later_us = time.time_ns() // 1000 + 3 * GONE_MS * 1000
    assert session_members.end_dead(client, stored(), keys, later_us, max_bytes=2**20) == 1
    assert stored().rows(MEMBERS, ("s",))[0][1] == "died"
    assert session_members.end_dead(client, stored(), keys, later_us, max_bytes=2**20) == 0
    sparta.close()
