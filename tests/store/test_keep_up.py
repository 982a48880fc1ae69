"""A view keeps the projection up a bounded time at a refresh, and leaves it to the worker where one runs."""

from __future__ import annotations

import pytest

from claude_comm import Publisher
from claude_comm.runtime import worker_processes
from claude_comm.settings import Settings
from claude_comm.store import keep_up, queries
from claude_comm.store.catch_up import FIRST_ENTRIES
from claude_comm.store.database import open_database
from claude_comm.store.keep_up import KeepUp
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S

MESSAGES = 3 * FIRST_ENTRIES


def test_a_refresh_ends_with_its_time_and_the_next_goes_on(client: Client, settings: Settings) -> None:
    with Publisher("writer", settings=settings) as writer:
        writer.publish_many("reader", range(MESSAGES))
    with open_database(settings.database) as database:
        view = KeepUp(client, database, settings)
        assert not view.refresh(0.0)
        first = queries.counts(database).messages
        assert 0 < first < MESSAGES
        refreshes = 1
        while not view.refresh(0.0):
            refreshes += 1
        assert refreshes > 1
        assert queries.counts(database).messages == MESSAGES
        assert view.refresh(0.0)


def test_what_a_worker_stores_is_left_to_it(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake = [True]
    monkeypatch.setattr(worker_processes, "awake", lambda *_: awake[0])
    monkeypatch.setattr(keep_up, "SURVEY_S", 0.0)
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", 1)
    with open_database(settings.database) as database:
        view = KeepUp(client, database, settings)
        assert view.refresh(PATIENCE_S)
        assert queries.counts(database).messages == 0
        awake[0] = False
        assert view.refresh(PATIENCE_S)
        assert queries.counts(database).messages == 1
