"""Browsing messages: pages without a gap, filters, what was looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm import Publisher, Settings
from claude_comm.names import Keys
from claude_comm.store.browse import BrowsePage, MessageFilter, browse
from claude_comm.store.database import Database, open_database
from claude_comm.transport.driver import Client
from tests.support.streams import project


@pytest.fixture
def database(client: Client, settings: Settings, keys: Keys) -> Iterator[Database]:
    with Publisher("ann", settings=settings) as ann, Publisher("bob", settings=settings) as bob:
        for number in range(6):
            ann.publish("sink", {"n": number}, type="even" if number % 2 == 0 else "odd", session="s")
        bob.publish("sink", {"n": 6})
        bob.publish("other", {"n": 7})
    project(settings, client, keys)
    with open_database(settings.database) as opened:
        yield opened


def numbers(page: BrowsePage) -> list[int]:
    return [row.message.payload()["n"] for row in page.rows]


def all_pages(database: Database, chosen: MessageFilter, limit: int) -> list[int]:
    seen, after = [], 0
    while True:
        page = browse(database, chosen, limit=limit, after=after)
        seen += numbers(page)
        after = page.after
        if not after:
            return seen


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 100])
def test_pages_follow_each_other_without_a_gap_or_a_double(database: Database, limit: int) -> None:
    assert all_pages(database, MessageFilter(), limit) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert all_pages(database, MessageFilter(source="ann"), limit) == [5, 4, 3, 2, 1, 0]
    assert all_pages(database, MessageFilter(session="s", type="odd"), limit) == [5, 3, 1]


def test_a_search_says_how_many_it_looked_at_and_of_how_many(database: Database) -> None:
    page = browse(database, MessageFilter(source="ann"), limit=10, matches=lambda row: row.payload()["n"] == 2)
    assert numbers(page) == [2]
    assert (page.searched, page.of, page.after) == (6, 6, 0)


def test_a_search_whose_time_is_up_says_where_to_go_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.store.browse._STRIDE", 2)
    ticks = iter(range(0, 1_000, 10))
    page = browse(
        database, MessageFilter(), limit=10, matches=lambda row: row.payload()["n"] == 0, clock=lambda: next(ticks)
    )
    assert (numbers(page), page.searched) == ([], 2)
    rest = browse(
        database,
        MessageFilter(),
        limit=10,
        after=page.after,
        matches=lambda row: row.payload()["n"] == 0,
        clock=lambda: 0.0,
    )
    assert (numbers(rest), rest.searched) == ([0], 6)


def test_nothing_has_failed_yet_and_no_session_has_that_name(database: Database) -> None:
    assert browse(database, MessageFilter(failed=True), limit=5).rows == []
    page = browse(database, MessageFilter(session="nobody"), limit=5)
    assert (page.rows, page.of) == ([], 0)


def test_a_time_range_holds_on_both_sides(database: Database) -> None:
    times = [row.message.time_us for row in browse(database, MessageFilter(), limit=10).rows]
    page = browse(database, MessageFilter(since_us=times[4], until_us=times[2]), limit=10)
    assert [row.message.time_us for row in page.rows] == times[2:5]
