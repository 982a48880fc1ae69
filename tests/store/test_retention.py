"""Retention: what is old goes with its deliveries, and every sum still answers for all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.store import checkpoints, queries, statistics
from claude_comm.store.database import Database, open_database
from claude_comm.store.retention import Pruned, prune, pruned, used_bytes
from claude_comm.store.verify import problems
from tests.support.facts import START_US, envelope, events, handled, inbox, page, put

OLD, YOUNG = 300, 100
CUTOFF_US = START_US + 10_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def fill(database: Database) -> None:
    """Old and young messages of one session, all handled."""
    old = [envelope(session="s", data="x" * 500, time=CUTOFF_US - 1_000 - n) for n in range(OLD)]
    young = [envelope(session="s", data="x" * 500, time=CUTOFF_US + n) for n in range(YOUNG)]
    put(database, page(inbox("b"), *old, *young))
    put(database, page(events("b"), *(handled("b", message) for message in (*old, *young))))


def sums(database: Database) -> tuple[object, ...]:
    pair, session = statistics.pair_statistics(database, "a", "b"), statistics.session_snapshot(database, "s")
    return pair, session.messages, session.handled, session.size_bytes, session.latency, session.session


def test_what_is_old_goes_and_the_sums_stay(database: Database) -> None:
    fill(database)
    before = sums(database)
    gone = prune(database, before_us=CUTOFF_US)
    assert (gone.messages, gone.deliveries) == (OLD, OLD)
    assert len(queries.messages(database, session="s")) == YOUNG
    assert database.rows("SELECT count(*) FROM packed_deliveries") == [(YOUNG,)]
    assert sums(database) == before
    assert pruned(database).messages == OLD
    assert problems(database) == []
    assert prune(database, before_us=CUTOFF_US) == Pruned()


def test_the_oldest_go_until_the_rest_is_small_enough(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.store.retention._FIRST_MESSAGES", FIRST_FIFTY)
    fill(database)
    most, before = used_bytes(database) * 3 // 4, sums(database)
    assert prune(database, max_bytes=most).messages
    assert used_bytes(database) <= most
    left = queries.messages(database)
    assert left
    assert left[0].time_us == CUTOFF_US + YOUNG - 1
    assert sums(database) == before


FIRST_FIFTY = "SELECT number, time_us FROM packed_messages ORDER BY time_us LIMIT 50"


def test_the_file_gives_its_pages_back(database: Database) -> None:
    fill(database)
    with database.write():
        pass
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    before = database.path.stat().st_size
    prune(database, before_us=CUTOFF_US)
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert database.path.stat().st_size < 0.6 * before
    assert database.rows("PRAGMA freelist_count") == [(0,)]


def test_a_stream_that_is_read_again_brings_nothing_back(database: Database) -> None:
    """Its pruned messages are known, though there is no row of them; the sums would count them twice."""
    old, young = envelope(time=CUTOFF_US - 5), envelope(time=CUTOFF_US + 5)
    put(database, page(inbox("b"), old, young))
    prune(database, before_us=CUTOFF_US)
    checkpoints.restart(database, {key: (point, 0) for key, point in checkpoints.load(database).items()})
    put(database, page(inbox("b"), old, young, epoch=2))
    assert [row.id for row in queries.messages(database)] == [young.id]
    assert statistics.pair_statistics(database, "a", "b").count == 2


def test_a_message_that_comes_late_is_stored_however_old_it_is(database: Database) -> None:
    """An outbox may have kept it for weeks."""
    put(database, page(inbox("b"), envelope(time=CUTOFF_US - 5)))
    prune(database, before_us=CUTOFF_US)
    late = envelope(time=CUTOFF_US - 7)
    put(database, page(inbox("b"), late, first=2))
    assert [row.id for row in queries.messages(database)] == [late.id]


def test_a_payload_beyond_the_limit_is_stored_as_its_digest(tmp_path: Path) -> None:
    with open_database(tmp_path / "y.db", max_payload_bytes=1_000) as database:
        put(database, page(inbox("b"), envelope(data="x" * 2_000, correlation="c"), envelope(data="x")))
        small, large = queries.messages(database)
    assert (small.payload(), small.digest) == ("x", "")
    assert (large.data, len(large.digest), large.correlation) == (b"", 64, "c")
    with pytest.raises(Exception, match="too large to be stored"):
        large.payload()
