"""Messages that were stored lately are found without a query, and never when they are not there any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.errors import StoreError
from claude_comm.store import project, recent_messages
from claude_comm.store.database import Database, open_database
from claude_comm.store.retention import prune
from claude_comm.store.verify import problems
from tests.support.facts import START_US, envelope, events, handled, inbox, page, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path) as opened:
        yield opened


def lookups(database: Database) -> list[str]:
    """Statements from now on that look for messages by their ids."""
    seen: list[str] = []
    database._connection.set_trace_callback(
        lambda sql: seen.append(sql) if "m.message_id = w.message_id" in sql else None
    )
    return seen


def test_what_becomes_of_a_message_in_a_later_batch_needs_no_query(database: Database) -> None:
    messages = [envelope() for _ in range(30)]
    put(database, page(inbox("b"), *messages))
    seen = lookups(database)
    put(database, page(events("b"), handled("b", *messages)))
    assert seen == []
    assert database.rows("SELECT count(*) FROM packed_deliveries") == [(30,)]


def test_a_message_that_retention_removed_meanwhile_is_not_taken_for_there(database: Database, path: Path) -> None:
    message = envelope(time=START_US)
    put(database, page(inbox("b"), message))
    with open_database(path) as other:
        prune(other, before_us=START_US + 1)
    put(database, page(events("b"), handled("b", message)))
    assert database.rows("SELECT count(*) FROM packed_deliveries") == [(0,)]
    assert database.rows("SELECT count(*) FROM early_deliveries") == [(1,)]
    assert problems(database) == []


def test_a_message_of_a_batch_that_was_undone_is_not_taken_for_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = envelope()
    with monkeypatch.context() as full:
        full.setattr(project, "save_in", lambda *_: database.rows("SELECT * FROM no_such_table"))
        with pytest.raises(StoreError):
            put(database, page(inbox("b"), message))
    put(database, page(events("b"), handled("b", message)))
    assert database.rows("SELECT count(*) FROM packed_deliveries") == [(0,)]
    put(database, page(inbox("b"), message))
    assert database.rows("SELECT status FROM messages") == [("handled",)]


def test_older_ones_are_looked_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_messages, "MOST", 10)
    messages = [envelope() for _ in range(25)]
    for number, message in enumerate(messages):
        put(database, page(inbox("b"), message, first=number + 1))
    seen = lookups(database)
    put(database, page(events("b"), handled("b", *messages)))
    assert len(seen) == 1
    assert database.rows("SELECT count(*) FROM packed_deliveries") == [(25,)]
