"""The progress worker ends sessions whose processes died."""

from __future__ import annotations

import threading

import pytest

from claude_comm import Publisher
from claude_comm.client.identity import micros
from claude_comm.progress.events import SessionEvent
from claude_comm.settings import Settings
from claude_comm.store import session_members
from claude_comm.store.database import open_database
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from tests.support.waiting import PATIENCE_S, wait_until
from workers import progress


def test_the_worker_ends_a_session_that_nobody_gives_a_sign_of_life_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_members, "GONE_MS", 0)
    monkeypatch.setattr(progress, "SESSIONS_S", 0.0)
    with Publisher("sparta", settings=settings) as sparta:
        sparta.tell(SessionEvent("started", "killed", micros()), session="s")
    stop = threading.Event()

    def follow() -> None:
        with connect(settings) as client:
            progress.Follower(client, settings, stop, get_logger("error")).run()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        with open_database(settings.database) as database:
            outcomes = "SELECT outcome FROM session_members WHERE session = 's'"
            wait_until(lambda: database.rows(outcomes) == [("died",)])
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
