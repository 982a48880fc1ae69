"""How far a group is behind: what the server says, and what is counted where it cannot say."""

from __future__ import annotations

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import lag
from claude_comm.ops.lag import Lag
from claude_comm.settings import Settings
from claude_comm.transport.driver import Links


@pytest.fixture
def stream(settings: Settings) -> str:
    return Keys(settings.namespace).inbox("sink")


def ask(links: Links, *words: str | int | bytes) -> object:
    return links.data.one(Command(words))


def fill(links: Links, stream: str, count: int) -> list[bytes]:
    replies = links.data.many([Command(("XADD", stream, "*", "e", "x")) for _ in range(count)])
    return list(replies)


def read(links: Links, stream: str, count: int) -> None:
    ask(links, "XREADGROUP", "GROUP", "sink", "c", "COUNT", count, "STREAMS", stream, ">")


def told(links: Links, stream: str) -> int | None:
    """What the server itself says."""
    (group,) = links.run(lag.groups([stream]))[stream]
    return group.lag


def of(links: Links, stream: str, enough: int = 10**9) -> Lag:
    return links.run(lag.of(stream, "sink", enough=enough))


def test_it_is_what_the_server_says(links: Links, stream: str) -> None:
    fill(links, stream, 50)
    ask(links, "XGROUP", "CREATE", stream, "sink", "0")
    read(links, stream, 20)
    assert told(links, stream) == 30
    assert of(links, stream) == Lag(30)


def test_without_a_group_all_that_is_there_waits(links: Links, stream: str) -> None:
    assert of(links, stream) == Lag(0)
    fill(links, stream, 7)
    assert of(links, stream) == Lag(7)


@pytest.mark.parametrize(
    ("total", "handed", "deleted"), [(50, 20, 30), (3000, 100, 2999), (3000, 2900, 2950), (2, 1, 1)]
)
def test_it_is_counted_where_an_entry_was_deleted_ahead(
    links: Links, stream: str, total: int, handed: int, deleted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever end is nearer, and over more than a part of it."""
    monkeypatch.setattr(lag, "_PART", 150)
    ids = fill(links, stream, total)
    ask(links, "XGROUP", "CREATE", stream, "sink", "0")
    read(links, stream, handed)
    ask(links, "XDEL", stream, ids[deleted])
    assert told(links, stream) is None or deleted < handed
    assert of(links, stream) == Lag(total - handed - 1)


def test_it_is_counted_where_a_position_was_set_by_hand(links: Links, stream: str) -> None:
    ids = fill(links, stream, 100)
    ask(links, "XGROUP", "CREATE", stream, "sink", ids[39])
    assert told(links, stream) is None
    assert of(links, stream) == Lag(60)


def test_after_a_trim_it_is_exact(links: Links, stream: str) -> None:
    ids = fill(links, stream, 100)
    ask(links, "XGROUP", "CREATE", stream, "sink", "0")
    read(links, stream, 40)
    ask(links, "XTRIM", stream, "MINID", ids[30])
    assert of(links, stream) == Lag(60)
    ask(links, "XDEL", stream, ids[70])
    assert of(links, stream) == Lag(59)
    ask(links, "XTRIM", stream, "MINID", ids[80])
    assert of(links, stream) == Lag(20)


def test_counting_ends_where_it_is_enough(links: Links, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "_PART", 50)
    ids = fill(links, stream, 1000)
    ask(links, "XGROUP", "CREATE", stream, "sink", ids[499])
    assert of(links, stream, enough=120) == Lag(150, exact=False)
    assert of(links, stream, enough=1000) == Lag(500)
