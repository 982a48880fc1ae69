"""Catching the projection up with real streams: once, by several, and when they move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from claude_comm.effects import Batch, Command, Effect, Operation, Post, Reach
from claude_comm.envelope import Envelope, encode
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import follow
from claude_comm.ops.publish import publish
from claude_comm.progress.events import FileOperation
from claude_comm.settings import Settings
from claude_comm.store import catch_up as catch_up_module
from claude_comm.store import checkpoints, survey
from claude_comm.store.catch_up import lags, next_count
from claude_comm.store.database import Database, open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.facts import envelope, happened


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with open_database(settings.database) as opened:
        yield opened


def ask(*words: str | bytes | int) -> Operation[object]:
    return (yield Command(words))


def put(client: Client, key: str, keys: Keys, envelopes: Sequence[Envelope]) -> list[str]:
    return client.run(publish(keys, [Post(key, encode(one)) for one in envelopes], [key]))


def count(database: Database) -> int:
    return int(database.rows("SELECT count(*) FROM messages")[0][0])


def catch_up(client: Client, database: Database, keys: Keys, *, reach: Reach = "server") -> int:
    client.data.reach = reach
    return catch_up_module.catch_up(client, database, keys, max_bytes=100_000)


class Watched(Client):
    """Client that remember what was asked of the server."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.data, client.control)
        self.asked: list[Effect] = []

    def _perform(self, effect: Effect) -> object:
        self.asked.append(effect)
        return super()._perform(effect)


@pytest.mark.parametrize("reach", ["server", "cluster"])
def test_everything_sent_so_far_is_stored(client: Client, database: Database, keys: Keys, reach: Reach) -> None:
    """Inboxes, topics and events, whether one command may cross slots or not."""
    put(client, keys.inbox("b"), keys, [envelope(session="s") for _ in range(1500)])
    put(client, keys.topic("x"), keys, [envelope(target="topic:x") for _ in range(3)])
    put(client, keys.events("a"), keys, [happened("a", FileOperation("read", "p", "success", 5), session="s")])
    assert catch_up(client, database, keys, reach=reach) == 1504
    assert count(database) == 1503
    assert database.rows("SELECT files_processed, bytes_processed FROM session_stats") == [(1, 5)]
    assert catch_up(client, database, keys, reach=reach) == 0


def test_with_nothing_there_it_does_nothing(client: Client, database: Database, keys: Keys) -> None:
    """An empty namespace costs one round trip."""
    watched = Watched(client)
    assert catch_up(watched, database, keys) == 0
    assert len(watched.asked) == 1


def test_with_nothing_new_it_costs_two_round_trips_and_no_transaction(
    client: Client, database: Database, keys: Keys, settings: Settings
) -> None:
    """A reading command does this every time, so it must work while another process holds the write lock."""
    put(client, keys.inbox("b"), keys, [envelope()])
    catch_up(client, database, keys)
    watched = Watched(client)
    with database.write(), open_database(settings.database, busy_timeout_s=0.0) as reader:
        assert catch_up(watched, reader, keys) == 0
    assert [type(effect) for effect in watched.asked] == [Command, Batch]


def test_a_tail_that_moves_is_not_chased(client: Client, database: Database, keys: Keys) -> None:
    """Somebody publishes faster than this reads: it ends all the same."""
    put(client, keys.inbox("b"), keys, [envelope() for _ in range(2000)])

    class Growing(Watched):
        def _perform(self, effect: Effect) -> object:
            put(client, keys.inbox("b"), keys, [envelope() for _ in range(600)])
            return super()._perform(effect)

    growing = Growing(client)
    assert catch_up(growing, database, keys) >= 2000
    assert len(growing.asked) < 10


def test_a_deleted_tail_ends_the_catching_up(client: Client, database: Database, keys: Keys) -> None:
    """The last id of a stream may be that of an entry which is gone."""
    ids = put(client, keys.inbox("b"), keys, [envelope() for _ in range(3)])
    client.run(ask("XDEL", keys.inbox("b"), ids[-1]))
    assert catch_up(client, database, keys) == 2
    assert catch_up(client, database, keys) == 0


def test_keys_that_are_no_streams_stop_nothing(client: Client, database: Database, keys: Keys) -> None:
    """Whoever may write to the registry may write nonsense there."""
    put(client, keys.inbox("b"), keys, [envelope()])
    client.run(ask("SADD", keys.streams, "other:{m:b}:inbox", b"\xff\x00", keys.inbox("text"), keys.inbox("missing")))
    client.run(ask("SET", keys.inbox("text"), "not a stream"))
    assert catch_up(client, database, keys) == 1
    seen = survey.survey(client, database, keys)
    assert set(seen.streams) == {keys.inbox("b"), keys.inbox("missing")}
    assert sorted(seen.foreign) == sorted(["other:{m:b}:inbox", "\\xff\x00", keys.inbox("text")])
    client.run(ask("DEL", keys.inbox("text")))


def test_a_refusal_of_the_server_is_not_taken_for_an_empty_stream(client: Client, keys: Keys) -> None:
    """Only a key that holds something else is passed over."""
    with pytest.raises(ServerRefused):
        client.run(follow.read({keys.inbox("b"): "no id"}, count=1))
    with pytest.raises(ServerRefused):
        client.run(follow.read({keys.inbox("b"): "no id"}, count=1, reach="cluster"))


def test_a_stream_whose_ids_moved_backwards_is_read_again(client: Client, database: Database, keys: Keys) -> None:
    """The server was restored from a backup: some entries are those seen, some are new under old ids."""
    key, sent = keys.inbox("b"), [envelope(session="s") for _ in range(4)]
    client.run(publish(keys, [], [key]))
    for number, message in enumerate(sent[:3]):
        client.run(ask("XADD", key, f"1000-{number}", "e", encode(message)))
    assert catch_up(client, database, keys) == 3
    client.run(ask("DEL", key))
    for number, message in enumerate([sent[0], sent[3]]):
        client.run(ask("XADD", key, f"500-{number}", "e", encode(message)))
    catch_up(client, database, keys)
    assert count(database) == 4
    assert database.rows("SELECT count(*) FROM module_communications") == [(4,)]
    assert checkpoints.load(database)[key] == checkpoints.Checkpoint(2, "500-1", 2)


def test_a_flushed_server_and_a_forgotten_registry_lose_nothing(client: Client, database: Database, keys: Keys) -> None:
    """A publisher that runs on does not announce its stream again; the projection still knows it."""
    put(client, keys.inbox("b"), keys, [envelope()])
    catch_up(client, database, keys)
    client.run(ask("DEL", keys.inbox("b"), keys.streams))
    assert catch_up(client, database, keys) == 0
    client.run(publish(keys, [Post(keys.inbox("b"), encode(envelope()))], []))
    assert catch_up(client, database, keys) == 1
    assert count(database) == 2


def test_six_that_catch_up_at_once_do_not_collide(settings: Settings, keys: Keys, client: Client) -> None:
    """Each with connections of its own; together they store every message once."""
    put(client, keys.inbox("b"), keys, [envelope(session="s") for _ in range(3000)])

    def one(_: int) -> int:
        with connect(settings) as own, open_database(settings.database) as database:
            return catch_up(own, database, keys)

    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(one, range(6)))
    with open_database(settings.database) as database:
        assert sum(stored) == count(database) == 3000
        assert database.rows("SELECT count(*) FROM module_communications") == [(3000,)]


def test_lag_is_the_number_of_entries_to_come(client: Client, database: Database, keys: Keys) -> None:
    """Exact on a stream from its start, and on one that was trimmed before it was followed."""
    key = keys.inbox("b")
    put(client, key, keys, [envelope() for _ in range(10)])
    assert lags(client, database, keys) == {key: 10}
    client.run(ask("XTRIM", key, "MAXLEN", 7))
    assert lags(client, database, keys) == {key: 7}
    catch_up(client, database, keys)
    assert lags(client, database, keys) == {key: 0}
    put(client, key, keys, [envelope() for _ in range(4)])
    assert lags(client, database, keys) == {key: 4}
    client.run(ask("DEL", key))
    assert lags(client, database, keys) == {key: 0}


def test_pages_grow_with_small_messages_and_shrink_with_large_ones() -> None:
    """A page of megabyte messages must not fill the memory."""
    small = {"k": [(b"%d-0" % n, [b"e", b"x" * 100]) for n in range(512)]}
    large = {"k": [(b"%d-0" % n, [b"e", b"x" * 1_000_000]) for n in range(40)]}
    assert next_count(512, small) == 1024
    assert next_count(4096, {"k": small["k"] * 8}) == 4096
    assert next_count(600, small) == 600
    assert next_count(40, large) == 8
    assert next_count(1, {"k": [(b"1-0", [b"e", b"x" * 20_000_000])]}) == 1


def test_an_envelope_over_the_limit_is_kept_as_unreadable(client: Client, database: Database, keys: Keys) -> None:
    """Its start and its size are kept, and the stream goes on behind it."""
    put(client, keys.inbox("b"), keys, [envelope(data="x" * 200_000), envelope()])
    assert catch_up(client, database, keys) == 2
    assert count(database) == 1
    [(size, reason)] = database.rows("SELECT size_bytes, reason FROM unreadable")
    assert size > 200_000
    assert "the limit is 100,000" in reason
