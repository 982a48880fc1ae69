"""Tasks end for those who report no more: told once, and only where nobody can go on with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from claude_comm import Module, ModuleCommunicator
from claude_comm.client.module.context import Context
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import heartbeats
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.progress.events import Lifecycle, TaskProgress
from claude_comm.settings import Settings
from claude_comm.store.absences import Absences
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.task_ends import end_left
from claude_comm.store.tasks import tasks
from claude_comm.transport.driver import Client
from tests.support.facts import events, happened, page, put

MAX_BYTES = 2**20


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with open_database(settings.database) as opened:
        yield opened


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


@pytest.fixture
def stored(client: Client, database: Database, keys: Keys) -> Callable[[], Database]:
    def caught_up() -> Database:
        catch_up(client, database, keys, max_bytes=MAX_BYTES)
        return database

    return caught_up


def later_us() -> int:
    return time.time_ns() // 1000 + GONE_MS * 1000 + 1_000_000


def states(database: Database) -> dict[str, tuple[str, str]]:
    return {task.task: (task.state, task.note) for task in tasks(database)}


def test_what_a_stopped_module_left_unfinished_is_told_as_stopped(
    settings: Settings, client: Client, keys: Keys, stored: Callable[[], Database]
) -> None:
    module = Module("indexer", settings=settings)

    @module.handles("message")
    def index(_: dict[str, int], context: Context) -> None:
        context.progress("half", 1, 2)
        context.progress("whole", 2, 2)
        module.stop()

    with ModuleCommunicator("sparta", settings=settings) as sparta:
        sparta.send_message("sparta", "indexer", {})
        module.run()
        sparta.track_progress("no module's", 1, 2)
    assert states(stored()) == {"half": ("running", ""), "whole": ("completed", ""), "no module's": ("running", "")}
    now_us = time.time_ns() // 1000
    assert end_left(client, stored(), keys, now_us, max_bytes=MAX_BYTES) == 0
    # Two projections that notice tell one event.
    database = stored()
    for _ in range(2):
        assert end_left(client, database, keys, later_us(), max_bytes=MAX_BYTES) == 1
    assert states(stored())["half"] == ("stopped", "its module was stopped")
    assert database.rows("SELECT count(*) FROM events WHERE kind = 'progress'") == [(4,)]
    assert end_left(client, database, keys, later_us(), max_bytes=MAX_BYTES) == 0
    assert states(database)["no module's"] == ("running", "")


@pytest.mark.parametrize("lives", [True, False])
def test_a_module_that_died_leaves_its_tasks_and_one_that_lives_does_not(
    client: Client, keys: Keys, database: Database, stored: Callable[[], Database], lives: bool
) -> None:
    told = [Lifecycle("started", "i-1"), TaskProgress("scan", 1, 4)]
    put(database, page(events("scanner"), *(happened("scanner", event) for event in told)))
    now_us = later_us()
    if lives:
        client.run(heartbeats.beat(keys.instances, "scanner/i-1", now_ms=now_us // 1000 - GONE_MS + 1_000))
    assert end_left(client, database, keys, now_us, max_bytes=MAX_BYTES) == (0 if lives else 1)
    (task,) = tasks(stored())
    assert (task.state, task.note) == (("silent", "") if lives else ("stopped", "its module died"))


def test_a_registry_that_has_just_lost_its_memory_ends_no_task(
    client: Client, keys: Keys, database: Database, stored: Callable[[], Database]
) -> None:
    """Nobody is known there until those who live have told again: absent at two looks in a row counts."""
    told = [Lifecycle("started", "i-1"), TaskProgress("scan", 1, 4)]
    put(database, page(events("scanner"), *(happened("scanner", event) for event in told)))
    absences = Absences()

    def ended() -> int:
        return end_left(client, database, keys, later_us(), max_bytes=MAX_BYTES, absences=absences)

    assert ended() == 0
    client.run(heartbeats.beat(keys.instances, "scanner/i-1", now_ms=later_us() // 1000))
    assert ended() == 0
    client.control.one(Command(("DEL", keys.instances)))
    assert (ended(), ended()) == (0, 1)
    (task,) = tasks(stored())
    assert task.state == "stopped"


def test_in_a_session_that_is_over_nothing_runs(settings: Settings, stored: Callable[[], Database]) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta:
        with sparta.session("s"):
            sparta.track_progress("within", 1, 2)
            assert states(stored()) == {"within": ("running", "")}
        sparta.track_progress("without", 1, 2)
    assert states(stored()) == {"within": ("stopped", ""), "without": ("running", "")}
