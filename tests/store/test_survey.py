"""Of many streams only those with something new are asked where they end, as long as that is safe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm import Settings
from claude_comm.effects import Batch, Command, Effect, Post
from claude_comm.envelope import encode
from claude_comm.names import Keys
from claude_comm.ops import consume
from claude_comm.ops.publish import publish
from claude_comm.store import catch_up, survey
from claude_comm.store.database import Database, open_database
from claude_comm.transport.driver import Client
from tests.support.facts import envelope

MANY = survey.FEW + 50


class Watched(Client):
    """Remembers how many streams were asked where they end."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.data, client.control)
        self.asked = 0

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Batch):
            self.asked += sum(command.args[:2] == ("XINFO", "STREAM") for command in effect.commands)
        return super()._perform(effect)


@pytest.fixture
def database(settings: Settings, client: Client, keys: Keys) -> Iterator[Database]:
    """Of a home where many streams were surveyed a moment ago."""
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    with open_database(settings.database) as opened:
        # The first begins their checkpoints, so there were not many yet.
        for _ in range(2):
            assert caught_up(client, opened, keys) == (0, MANY)
        yield opened


def caught_up(client: Client, database: Database, keys: Keys) -> tuple[int, int]:
    """How many entries that took, and how many streams were asked where they end."""
    watched = Watched(client)
    return catch_up.catch_up(watched, database, keys, max_bytes=100_000), watched.asked


def put(client: Client, keys: Keys, *targets: str) -> None:
    for target in targets:
        client.run(publish(keys, [Post(keys.stream(target), encode(envelope("a", target)))], [keys.stream(target)]))


@pytest.mark.parametrize("reach", ["server", "cluster"])
def test_those_with_something_new_are_asked_and_those_that_are_new(
    client: Client, database: Database, keys: Keys, reach: str
) -> None:
    client.data.reach = reach  # type: ignore[assignment]
    assert caught_up(client, database, keys) == (0, 0)
    put(client, keys, "m7", "fresh", "topic:x")
    assert caught_up(client, database, keys) == (3, 3)
    assert caught_up(client, database, keys) == (0, 0)


def test_lags_are_asked_of_those_that_are_behind(client: Client, database: Database, keys: Keys) -> None:
    put(client, keys, "m7", "m7", "fresh")
    watched = Watched(client)
    behind = catch_up.lags(watched, database, keys)
    assert (len(behind), watched.asked) == (MANY + 1, 2)
    assert {key: lag for key, lag in behind.items() if lag} == {keys.inbox("m7"): 2, keys.inbox("fresh"): 1}


def test_another_run_of_the_server_is_surveyed_whole(
    client: Client, database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been restored from a backup: what lay behind a checkpoint may be new."""
    put(client, keys, "m7")
    assert caught_up(client, database, keys)[0] == 1
    client.data.one(Command(("DEL", keys.inbox("m7"))))
    client.data.one(Command(("XADD", keys.inbox("m7"), "5-1", "e", encode(envelope("a", "m7")))))
    assert caught_up(client, database, keys) == (0, 0)
    with database.write() as writer:
        writer.execute("UPDATE surveys SET runs = 'another'")
    assert caught_up(client, database, keys) == (1, MANY)
    assert caught_up(client, database, keys) == (0, 0)


def test_after_some_minutes_all_are_surveyed(
    client: Client, database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the clock was put back since."""
    for shift_us in (-int(survey.WHOLE_EVERY_S * 1e6) - 1, 3_600_000_000):
        with database.write() as writer:
            writer.execute("UPDATE surveys SET at_us = at_us + ?", (shift_us,))
        assert caught_up(client, database, keys) == (0, MANY)
        assert caught_up(client, database, keys) == (0, 0)


def test_who_may_not_ask_which_run_it_is_surveys_all(
    client: Client, database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_runs", lambda _: "")
    assert caught_up(client, database, keys) == (0, MANY)


def test_a_key_that_is_no_stream_any_more_stops_nothing(client: Client, database: Database, keys: Keys) -> None:
    client.data.one(Command(("SET", keys.inbox("m7"), "x")))
    put(client, keys, "m8")
    assert caught_up(client, database, keys) == (1, MANY)
    client.data.one(Command(("DEL", keys.inbox("m7"))))
