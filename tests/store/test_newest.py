"""The newest messages by every combination of filters: the same as looking at all of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from claude_comm.envelope import Envelope
from claude_comm.store import queries
from claude_comm.store.database import Database, open_database
from claude_comm.store.newest import Before
from tests.support.facts import START_US, envelope, inbox, page, put


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def messages(count: int) -> list[Envelope]:
    """Not in the order of their times, several of one moment."""
    chance = random.Random(5)
    return [
        envelope(
            chance.choice("abc"),
            chance.choice("bcd"),
            session=chance.choice(["", "s", "t"]),
            time=START_US + chance.randrange(count // 3),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(("source", "target", "session"), [*product(["", "a", "x"], ["", "b", "x"], ["", "s", "x"])])
def test_every_filter_finds_what_a_look_at_all_would(
    database: Database, source: str, target: str, session: str
) -> None:
    put(database, page(inbox("b"), *messages(300)))
    everything = queries.messages(database)
    expected = [
        row.number
        for row in everything
        if source in ("", row.source) and target in ("", row.target) and session in ("", row.session)
    ]
    for limit in (1, 7, 1_000, None):
        found = queries.messages(database, source=source, target=target, session=session, limit=limit)
        assert [row.number for row in found] == expected[:limit]
    pages: list[int] = []
    before = None
    while part := queries.messages(database, source=source, target=target, session=session, limit=11, before=before):
        pages += [row.number for row in part]
        before = Before(part[-1].time_us, part[-1].number)
    assert pages == expected


def test_the_order_of_all_is_by_time_and_number(database: Database) -> None:
    put(database, page(inbox("b"), *messages(50)))
    rows = queries.messages(database)
    assert [(row.time_us, row.number) for row in rows] == sorted([(r.time_us, r.number) for r in rows], reverse=True)
