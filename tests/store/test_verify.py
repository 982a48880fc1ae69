"""`verify` on a real server: what is whole is found whole, and each kind of damage is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm.effects import Post
from claude_comm.envelope import encode
from claude_comm.names import Keys
from claude_comm.ops.publish import publish
from claude_comm.settings import Settings
from claude_comm.store import queries, rebuild
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, back_up, open_database
from claude_comm.store.retention import prune
from claude_comm.store.verify import Verification, verify
from claude_comm.transport.driver import Client
from tests.support.facts import START_US, envelope, handled

MOST = 1_000_000
OLD, ALL = 10, 30


@pytest.fixture
def database(settings: Settings, client: Client, keys: Keys) -> Iterator[Database]:
    """Messages and their events, some old; a copy in the stream; an entry that nobody can read."""
    sent = [envelope(session="s", headers={"h": "v"}, time=START_US + n) for n in range(ALL)]
    bodies = [encode(message) for message in (*sent, sent[0])]
    told = encode(handled("b", *sent[:20]))
    posts = [Post(keys.inbox("b"), body) for body in (*bodies, b"nothing")] + [Post(keys.events("b"), told)]
    client.run(publish(keys, posts, [keys.inbox("b"), keys.events("b")]))
    with open_database(settings.database) as opened:
        catch_up(client, opened, keys, max_bytes=MOST)
        yield opened


def checked(client: Client, database: Database, keys: Keys) -> Verification:
    return verify(client, database, keys, max_bytes=MOST)


def test_a_whole_projection_is_found_whole(database: Database, client: Client, keys: Keys) -> None:
    found = checked(client, database, keys)
    assert found.ok
    assert {check.stream: check.entries for check in found.streams} == {keys.inbox("b"): ALL + 2, keys.events("b"): 1}
    assert checked(client, database, keys).streams[1].digest == found.streams[1].digest


DAMAGE = {
    "a message is gone": "DELETE FROM packed_messages WHERE number = 3",
    "a payload was changed": "UPDATE packed_messages SET data = x'01' WHERE number = 3",
    "an event is gone": "DELETE FROM packed_events",
    "a delivery is gone": "DELETE FROM packed_deliveries WHERE message = 3",
    "a sum was changed": "UPDATE traffic SET messages = messages + 1",
    "what could not be read is gone": "DELETE FROM unreadable",
    "a histogram was changed": "UPDATE latencies SET deliveries = 0",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_every_damage_is_named(database: Database, client: Client, keys: Keys, what: str) -> None:
    with database.write() as writer:
        writer.execute(DAMAGE[what])
    found = checked(client, database, keys)
    assert not found.ok
    assert found.problems or any(check.missing or check.differing for check in found.streams)


def test_a_message_that_is_stored_twice_is_named(database: Database, client: Client, keys: Keys) -> None:
    columns = (
        "message_id, source, target, type, session, time_us, stream, entry, size_bytes, agreement, content_type, data"
    )
    with database.write() as writer:
        writer.execute("DROP INDEX messages_by_id")
        writer.execute(
            f"INSERT INTO packed_messages ({columns}) SELECT {columns} FROM packed_messages WHERE number = 3"
        )
    assert "messages stored twice: 1" in checked(client, database, keys).problems


def test_what_retention_removed_is_not_lost(database: Database, client: Client, keys: Keys) -> None:
    prune(database, before_us=START_US + OLD)
    found = checked(client, database, keys)
    assert found.ok
    # The copy of the first message is in the stream as well.
    assert [check.pruned for check in found.streams if check.stream == keys.inbox("b")] == [OLD + 1]


def test_reading_again_adds_what_is_missing_and_nothing_else(
    database: Database, client: Client, keys: Keys, settings: Settings
) -> None:
    with database.write() as writer:
        writer.execute("DELETE FROM packed_events")
        writer.execute("DELETE FROM unreadable")
    before = queries.messages(database)
    rebuild.reread(client, database, settings, progress=lambda _stored, _whole: None)
    assert queries.messages(database) == before
    assert checked(client, database, keys).ok


def test_a_database_that_is_set_aside_is_kept_and_made_anew(
    database: Database, client: Client, keys: Keys, settings: Settings
) -> None:
    before = queries.messages(database)
    kept = rebuild.set_aside(settings.database, 7)
    assert database.replaced()
    with open_database(settings.database) as new, open_database(kept) as old:
        assert queries.messages(new) == []
        rebuild.reread(client, new, settings, progress=lambda _stored, _whole: None)
        assert [row.id for row in queries.messages(new)] == [row.id for row in before]
        assert queries.messages(old) == before
        assert checked(client, new, keys).ok


def test_a_copy_is_made_while_others_write(database: Database, settings: Settings) -> None:
    to = settings.home / "copy.db"
    with open_database(settings.database) as other, other.write() as writer:
        writer.execute("DELETE FROM unreadable")
        back_up(settings.database, to)
    with open_database(to) as copy:
        assert queries.messages(copy) == queries.messages(database)
        assert len(queries.unreadable(copy)) == 1
