"""Named queries: typed, paged, and unable to write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.errors import ConfigurationError, StoreError, UnknownMessage
from claude_comm.progress.queries import Queries
from claude_comm.store.database import open_database
from tests.support.facts import START_US, envelope, events, handled, inbox, page, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    sent = [envelope("a", "b", session="s", time=START_US + n) for n in range(25)]
    with open_database(tmp_path / "x.db") as database:
        put(database, page(inbox("b"), *sent), page(events("b"), handled("b", *sent[:5])))
    return tmp_path / "x.db"


@pytest.fixture
def queries(path: Path) -> Iterator[Queries]:
    with Queries(path) as opened:
        yield opened


def test_messages_come_in_pages_by_the_id_of_the_last(queries: Queries) -> None:
    first = queries.messages(target="b", limit=20)
    rest = queries.messages(target="b", limit=20, before=first[-1].id)
    assert [row.time_us - START_US for row in first + rest] == list(range(24, -1, -1))
    assert queries.messages(source="b") == []


def test_a_message_is_found_with_its_deliveries_and_what_it_caused(queries: Queries) -> None:
    message = queries.message("1")
    assert queries.message(message.id) == message
    assert [(one.consumer, one.status, one.latency_ms) for one in queries.deliveries(message)] == [("b", "handled", 5)]
    assert [step.message for step in queries.trace(message.id).steps] == [message]
    with pytest.raises(UnknownMessage):
        queries.message("99")


def test_a_session_has_its_totals_and_its_timeline(queries: Queries) -> None:
    detail = queries.session("s")
    assert detail is not None
    assert (detail.summary.messages, detail.summary.handled, detail.summary.pending) == (25, 5, 20)
    assert queries.sessions() == [detail.summary]
    found = queries.timeline("s", limit=20)
    assert found.more
    assert len(queries.timeline("s", after=found.after).rows) == 5
    [hop] = queries.hops()
    assert (hop.source, hop.target, hop.count) == ("a", "b", 25)


@pytest.mark.parametrize("limit", [0, -1, 10_001, True, "3", None])
def test_no_query_brings_everything_at_once(queries: Queries, limit: object) -> None:
    for query in (queries.messages, queries.sessions):
        with pytest.raises(ConfigurationError, match="limit"):
            query(limit=limit)  # type: ignore[operator]


def test_nothing_can_be_written_through_it(queries: Queries) -> None:
    with pytest.raises(StoreError, match="readonly"):
        queries._database.rows("DELETE FROM packed_messages")


def test_a_file_that_is_no_projection_of_this_release_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        Queries(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
    with open_database(path) as database, database.write() as writer:
        writer.execute("PRAGMA user_version = 5")
    with pytest.raises(StoreError, match="brings it up to date"):
        Queries(path)


def test_threads_share_one(queries: Queries) -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(queries.messages()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [25] * 8
