"""A run as the projection shows it: open while it runs, ended as it ended, and nothing pending when all is gathered."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.pipeline import attendance
from claude_comm.client.pipeline.preparation import resumed
from claude_comm.client.pipeline.run import Run
from claude_comm.names import Keys
from claude_comm.ops import sessions
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.store import session_members
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.store.session_list import SessionDetail, session
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, run, step, up

FORK = document(
    step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"]), step("e", after="a")
)
LIMIT = 1 << 20


def shown(client: Client, settings: Settings, folder: Path) -> SessionDetail:
    keys = Keys(settings.namespace)
    with open_database(folder / "shown.db") as database:
        catch_up(client, database, keys, max_bytes=LIMIT)
        if session_members.end_dead(client, database, keys, time.time_ns() // 1000, max_bytes=LIMIT):
            catch_up(client, database, keys, max_bytes=LIMIT)
        found = session(database, "s")
    assert found is not None
    return found


def refuse_two(payload: Any) -> Any:
    if payload["n"] == 2:
        raise ValueError("no")
    return payload


def test_a_run_that_is_over_has_nothing_pending(settings: Settings, client: Client, tmp_path: Path) -> None:
    with up(client, settings, *(module(settings, name, lambda payload: payload) for name in "abcde")):
        run(client, settings, prepared(client, settings, FORK), [{"n": n} for n in range(20)])
    summary = shown(client, settings, tmp_path).summary
    assert (summary.state, summary.pending, summary.failed) == ("completed", 0, 0)
    assert summary.messages == summary.handled


def test_a_run_with_a_failed_input_has_failed_and_says_how_many(
    settings: Settings, client: Client, tmp_path: Path
) -> None:
    with up(client, settings, module(settings, "a", refuse_two)):
        run(client, settings, prepared(client, settings, document(step("a"))), [{"n": n} for n in range(4)])
    detail = shown(client, settings, tmp_path)
    assert (detail.summary.state, detail.summary.pending) == ("failed", 0)
    assert [member.reason for member in detail.members] == ["1 of 4 inputs failed"]


def test_a_run_whose_process_dies_has_died_and_a_resumed_one_completes_it(
    settings: Settings, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, inputs = document(step("a")), [{"n": n} for n in range(5)]
    with up(client, settings, module(settings, "a", lambda payload: payload)):
        killed = Run(client, settings, prepared(client, settings, pipeline), iter(inputs))
        client.run(sessions.store(killed._keys, killed.session))
        with monkeypatch.context() as long_ago:
            then_ms = time.time_ns() // 1_000_000 - 2 * GONE_MS
            long_ago.setattr(attendance, "micros", lambda: then_ms * 1000)
            long_ago.setattr(attendance, "millis", lambda: then_ms)
            client.run(killed._attendance.open())
        assert shown(client, settings, tmp_path).summary.state == "died"
        again = resumed(client, Keys(settings.namespace), pipeline, "s", inputs="")
        run(client, settings, again, inputs)
    assert shown(client, settings, tmp_path).summary.state == "completed"


def test_a_run_that_is_interrupted_says_so(settings: Settings, client: Client, tmp_path: Path) -> None:
    with up(client, settings, module(settings, "a", lambda payload: payload)):
        interrupted = Run(client, settings, prepared(client, settings, document(step("a"))), iter([{"n": 1}]))

        def interrupt(_run: Run) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted.go(interrupt, 0.0)
    (member,) = shown(client, settings, tmp_path).members
    assert (member.outcome, member.reason) == ("failed", "cut off by KeyboardInterrupt")
