"""Messages over time: exact, counted once, within a bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.store.database import Database, open_database
from claude_comm.store.rates import RateCounter

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "c.db") as opened:
        yield opened


def insert(database: Database, *times_us: int) -> None:
    with database.write() as writer:
        for time_us in times_us:
            writer.execute(
                "INSERT INTO packed_messages (message_id, source, target, type, session, time_us, stream, entry,"
                " size_bytes, agreement, content_type, data) VALUES (?, 0, 0, 0, 0, ?, 0, 1, 1, 0, 0, '')",
                (f"m{time_us}-{id(object())}", time_us),
            )


def counted(counter: RateCounter, database: Database, now_us: int = NOW, **more: float) -> list[int | None]:
    parts = counter.parts(database, start_us=NOW - 60 * SECOND, bucket_us=10 * SECOND, buckets=6, now_us=now_us, **more)  # type: ignore[arg-type]
    return [part.messages for part in parts]


def test_each_message_counts_in_its_part(database: Database) -> None:
    insert(database, NOW - 61 * SECOND, NOW - 60 * SECOND, NOW - 51 * SECOND, NOW - 1, NOW - 2, NOW)
    assert counted(RateCounter(clock=lambda: 0.0), database) == [2, 0, 0, 0, 0, 2]


def test_a_part_that_is_over_is_counted_once_and_one_that_is_open_again(database: Database) -> None:
    counter = RateCounter(clock=lambda: 0.0)
    insert(database, NOW - 55 * SECOND, NOW - 5 * SECOND)
    assert counted(counter, database) == [1, 0, 0, 0, 0, 1]
    insert(database, NOW - 54 * SECOND, NOW - 4 * SECOND)
    assert counted(counter, database) == [1, 0, 0, 0, 0, 2]


def test_parts_for_which_there_was_no_time_are_counted_at_the_next_look(database: Database) -> None:
    ticks = iter(range(1_000))
    counter = RateCounter(clock=lambda: next(ticks))
    insert(database, NOW - 55 * SECOND, NOW - 5 * SECOND)
    later = NOW + 60 * SECOND
    first = counted(counter, database, later, within_s=2.5)
    assert first == [None, None, None, 0, 0, 1]
    assert counted(counter, database, later, within_s=3.5) == [1, 0, 0, 0, 0, 1]
