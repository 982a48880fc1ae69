"""How far a group is behind: what the server says, and what is counted where it cannot say."""

from __future__ import annotations

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import lag
from claude_comm.ops.lag import Lag
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


@pytest.fixture
def stream(settings: Settings) -> str:
    return Keys(settings.namespace).inbox("sink")


def ask(client: Client, *words: str | int | bytes) -> object:
    return client.data.one(Command(words))


def fill(client: Client, stream: str, count: int) -> list[bytes]:
    replies = client.data.many([Command(("XADD", stream, "*", "e", "x")) for _ in range(count)])
    return list(replies)


def read(client: Client, stream: str, count: int) -> None:
    ask(client, "XREADGROUP", "GROUP", "sink", "c", "COUNT", count, "STREAMS", stream, ">")


def told(client: Client, stream: str) -> int | None:
    """What the server itself says."""
    (group,) = client.run(lag.groups([stream]))[stream]
    return group.lag


def of(client: Client, stream: str, enough: int = 10**9) -> Lag:
    return client.run(lag.of(stream, "sink", enough=enough))


def test_it_is_what_the_server_says(client: Client, stream: str) -> None:
    fill(client, stream, 50)
    ask(client, "XGROUP", "CREATE", stream, "sink", "0")
    read(client, stream, 20)
    assert told(client, stream) == 30
    assert of(client, stream) == Lag(30)


def test_without_a_group_all_that_is_there_waits(client: Client, stream: str) -> None:
    assert of(client, stream) == Lag(0)
    fill(client, stream, 7)
    assert of(client, stream) == Lag(7)


@pytest.mark.parametrize(
    ("total", "handed", "deleted"), [(50, 20, 30), (3000, 100, 2999), (3000, 2900, 2950), (2, 1, 1)]
)
def test_it_is_counted_where_an_entry_was_deleted_ahead(
    client: Client, stream: str, total: int, handed: int, deleted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever end is nearer, and over more than a part of it."""
    monkeypatch.setattr(lag, "_PART", 150)
    ids = fill(client, stream, total)
    ask(client, "XGROUP", "CREATE", stream, "sink", "0")
    read(client, stream, handed)
    ask(client, "XDEL", stream, ids[deleted])
    assert told(client, stream) is None or deleted < handed
    assert of(client, stream) == Lag(total - handed - 1)


def test_it_is_counted_where_a_position_was_set_by_hand(client: Client, stream: str) -> None:
    ids = fill(client, stream, 100)
    ask(client, "XGROUP", "CREATE", stream, "sink", ids[39])
    assert told(client, stream) is None
    assert of(client, stream) == Lag(60)


def test_after_a_trim_it_is_exact(client: Client, stream: str) -> None:
    ids = fill(client, stream, 100)
    ask(client, "XGROUP", "CREATE", stream, "sink", "0")
    read(client, stream, 40)
    ask(client, "XTRIM", stream, "MINID", ids[30])
    assert of(client, stream) == Lag(60)
    ask(client, "XDEL", stream, ids[70])
    assert of(client, stream) == Lag(59)
    ask(client, "XTRIM", stream, "MINID", ids[80])
    assert of(client, stream) == Lag(20)


def test_counting_ends_where_it_is_enough(client: Client, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "_PART", 50)
    ids = fill(client, stream, 1000)
    ask(client, "XGROUP", "CREATE", stream, "sink", ids[499])
    assert of(client, stream, enough=120) == Lag(150, exact=False)
    assert of(client, stream, enough=1000) == Lag(500)
