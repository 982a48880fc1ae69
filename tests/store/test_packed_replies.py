"""The projection of replies that are packed: rows as of plain copies, entries counted as they lie in the stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args

import msgspec
import pytest

from claude_comm.effects import Command, Post
from claude_comm.envelope import Envelope, encode
from claude_comm.names import Keys
from claude_comm.ops.publish import announce, publish
from claude_comm.progress import events as event_kinds
from claude_comm.progress.events import Event, TaskProgress
from claude_comm.progress.packed import PackedDeliveries
from claude_comm.progress.packed_replies import PackedReplies
from claude_comm.runtime import key_files
from claude_comm.security import sealed
from claude_comm.settings import Settings
from claude_comm.store import checkpoints, newer, queries
from claude_comm.store.catch_up import catch_up, caught_up, lags
from claude_comm.store.database import Database, open_database
from claude_comm.store.project import FactPage
from claude_comm.store.verify import verify
from claude_comm.transport.driver import Client
from tests.support.facts import KEYS, START_US, dump, envelope, events, happened, inbox, page, put, raw
from tests.support.signed_namespace import forge, signed


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def replies(count: int, source: str = "b", **fields: Any) -> list[Envelope]:
    return [
        envelope(source, "a", type="comm.reply", data={"n": n}, session="s", causation=f"q{n}", **fields)
        for n in range(count)
    ]


def packed(*bodies: Envelope | bytes, module: str = "b") -> Envelope:
    return happened(module, PackedReplies([one if isinstance(one, bytes) else encode(one) for one in bodies]))


def rows(database: Database) -> list[tuple[object, ...]]:
    """All that is known of the messages but where they lie."""
    columns = "source, message_id, target, type, session, causation, time_us, stream, size_bytes, data"
    return sorted(database.rows(f"SELECT {columns} FROM messages"))


def test_rows_are_those_of_plain_copies(database: Database, tmp_path: Path) -> None:
    sent = replies(30)
    done = put(database, page(events("b"), packed(*sent[:20]), sent[20], packed(*sent[21:])))
    assert (done.entries, done.messages, done.events) == (3, 30, 0)
    with open_database(tmp_path / "plain.db") as plain:
        put(plain, page(events("b"), *sent))
        assert rows(database) == rows(plain)
        assert dump(database)["session_stats"] == dump(plain)["session_stats"]


def test_checkpoints_count_entries(database: Database) -> None:
    put(database, page(events("b"), packed(*replies(5)), happened("b", TaskProgress("t", 1, 2)), packed(*replies(3))))
    point = checkpoints.load(database)[KEYS.events("b")]
    assert (point.entry_id, point.entries) == ("3-0", 3)


def test_what_is_projected_twice_or_lies_there_in_both_forms_is_one_message(database: Database) -> None:
    sent = replies(4)
    whole = page(events("b"), packed(*sent), sent[1], packed(*sent[2:], *sent[:1]))
    assert put(database, whole).messages == 4
    assert put(database, whole).entries == 0
    with database.write() as writer:
        writer.execute("UPDATE checkpoints SET epoch = 2, entry_id = '0-0'")
    again = put(database, page(events("b"), packed(*sent), sent[1], epoch=2))
    assert (again.entries, again.messages) == (2, 0)


def test_a_page_that_was_read_in_part_goes_on_at_an_entry(database: Database) -> None:
    sent = replies(6)
    whole = page(events("b"), packed(*sent[:3]), packed(*sent[3:]))
    put(database, FactPage(whole.stream, 1, whole.facts[:3], packed=True))
    rest = put(database, whole)
    assert (rest.entries, rest.messages) == (1, 3)
    assert checkpoints.load(database)[KEYS.events("b")].entries == 2


def test_each_that_cannot_be_read_has_a_row(database: Database) -> None:
    newer_one = raw({**msgspec.structs.asdict(envelope("b")), "v": 2})
    done = put(database, page(events("b"), packed(b"\xc1", b"\xc2", newer_one, *replies(2))))
    assert (done.entries, done.messages, done.unreadable, done.newer) == (1, 2, 2, 1)


def test_an_older_program_keeps_them_whole_and_reads_them_after_its_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = event_kinds.KINDS
    with monkeypatch.context() as older:
        older.setattr(event_kinds, "KINDS", kinds - {"replied"})
        known = (*(kind for kind in get_args(Event) if kind is not PackedReplies), PackedDeliveries)
        older.setattr(event_kinds, "_decoder", msgspec.msgpack.Decoder(Union[known]))  # noqa: UP007
        done = put(database, page(events("b"), packed(*replies(9)), happened("b", TaskProgress("t", 1, 2))))
        assert (done.entries, done.messages, done.newer, done.events, done.unreadable) == (2, 0, 1, 1, 0)
    assert database.rows("SELECT needs FROM newer") == [("event replied",)]
    read = newer.reread(database, KEYS)
    assert (read.entries, read.messages) == (1, 9)
    assert newer.waiting(database) == 0


def test_one_of_a_newer_version_waits_by_itself_with_its_holder(database: Database) -> None:
    """What is read after an upgrade may hold what even the upgraded program cannot read: who signed it stays known."""
    later = raw({**msgspec.structs.asdict(envelope("c")), "v": 2})
    kept = encode(packed(later, *replies(1), *replies(1, source="c")))
    with database.write() as writer:
        columns = "stream, entry_id, needs, digest, body, holder"
        writer.execute(
            f"INSERT INTO newer ({columns}) VALUES (?, '1-0', 'event replied', '', ?, 'b')", (KEYS.events("b"), kept)
        )
    assert newer.reread(database, KEYS).messages == 1
    assert [row.source for row in queries.messages(database)] == ["b"], "the third names another than signed it"
    assert database.rows("SELECT needs, body, holder FROM newer") == [("wire 2", later, "b")]


@pytest.mark.parametrize(("stream", "sources"), [(KEYS.events("b"), ["b", "c"]), (KEYS.inbox("b"), [])])
def test_what_a_service_signed_may_name_any_source_among_events_alone(
    database: Database, stream: str, sources: list[str]
) -> None:
    kept = encode(packed(*replies(1), *replies(1, source="c")))
    with database.write() as writer:
        columns = "stream, entry_id, needs, digest, body, holder"
        writer.execute(f"INSERT INTO newer ({columns}) VALUES (?, '1-0', 'event replied', '', ?, '*')", (stream, kept))
    newer.reread(database, KEYS)
    assert sorted(row.source for row in queries.messages(database)) == sources


@pytest.fixture
def projected(settings: Settings, client: Client, keys: Keys) -> Iterator[Database]:
    """Two entries with replies, and an event, as they lie on a server."""
    bodies = [packed(*replies(20, time=START_US)), packed(*replies(5)), happened("b", TaskProgress("t", 1, 2))]
    stream = keys.events("b")
    client.run(publish(keys, [Post(stream, encode(body)) for body in bodies], [stream]))
    with open_database(settings.database) as opened:
        assert catch_up(client, opened, keys, max_bytes=100_000) == 3
        yield opened


def test_nothing_is_behind_when_all_is_stored(projected: Database, client: Client, keys: Keys) -> None:
    assert lags(client, projected, keys) == {keys.events("b"): 0}
    client.run(publish(keys, [Post(keys.events("b"), encode(packed(*replies(9))))], [keys.events("b")]))
    assert lags(client, projected, keys) == {keys.events("b"): 1}


def test_verify_looks_every_reply_up(projected: Database, client: Client, keys: Keys) -> None:
    found = verify(client, projected, keys, max_bytes=100_000)
    assert found.ok
    assert [(check.entries, check.pruned) for check in found.streams] == [(3, 0)]
    with projected.write() as writer:
        writer.execute("DELETE FROM packed_messages WHERE number IN (3, 4)")
        writer.execute("UPDATE packed_messages SET data = x'01' WHERE number = 22")
    damaged = verify(client, projected, keys, max_bytes=100_000)
    ids = [id_.decode() for id_, _ in client.data.one(Command(("XRANGE", keys.events("b"), "-", "+")))]
    assert [(check.missing, check.differing) for check in damaged.streams] == [([ids[0]], [ids[1]])]


def test_verify_counts_an_entry_once_whose_replies_were_removed(
    projected: Database, client: Client, keys: Keys
) -> None:
    with projected.write() as writer:
        writer.execute("UPDATE pruned SET before_us = ?", (START_US + 1,))
        writer.execute("DELETE FROM packed_messages WHERE time_us = ?", (START_US,))
    (check,) = verify(client, projected, keys, max_bytes=100_000).streams
    assert (check.entries, check.pruned, check.missing) == (3, 1, [])


@pytest.mark.parametrize("signing", ["require", "warn"])
def test_a_seal_speaks_for_those_that_name_its_holder(
    settings: Settings, client: Client, keys: Keys, signing: Any
) -> None:
    """A module that is trusted packs a reply in another's name: that one is refused, and no other."""
    signed_settings = signed(settings, client, signing=signing)
    stream = keys.events("b")
    client.run(announce(keys, [stream]))
    later = raw({**msgspec.structs.asdict(envelope("b")), "v": 2})
    body = encode(packed(*replies(3), *replies(2, source="a"), later))
    pair = key_files.load(key_files.path_of(settings.home, "b")).signer()
    text = sealed.join_lone(body, pair.key_id, pair.sign_lone(stream, body))
    client.data.one(Command(("XADD", stream, "*", *sealed.fields(text))))
    forge(client, stream, encode(packed(*replies(2))))
    with open_database(settings.database) as opened:
        caught_up(client, opened, signed_settings)
        sources = [row.source for row in queries.messages(opened)]
        doubts = opened.rows("SELECT source, reason, refused, size_bytes, prefix FROM doubtful ORDER BY number")
        held = opened.rows("SELECT needs, holder FROM newer")
        assert verify(client, opened, keys, max_bytes=100_000).ok
    assert sources == (["b"] * 3 if signing == "require" else sources)
    assert len(sources) == (3 if signing == "require" else 7)
    assert [(source, refused) for source, _, refused, *_ in doubts] == [
        *[("a", int(signing == "require"))] * 2,
        *[("b", int(signing == "require"))] * 2,
    ]
    assert len({prefix for *_, prefix in doubts}) == 4, "each is told by its own bytes"
    assert all(size == len(prefix) for *_, size, prefix in doubts)
    assert held == [("wire 2", "b" if signing == "require" else "")]


def test_a_newer_reply_in_an_event_that_nobody_signed_is_refused(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signed_settings = signed(settings, client)
    client.run(announce(keys, [keys.events("b")]))
    later = raw({**msgspec.structs.asdict(envelope("b")), "v": 2})
    forge(client, keys.events("b"), encode(packed(later, *replies(1))))
    with open_database(settings.database) as opened:
        caught_up(client, opened, signed_settings)
        assert opened.rows("SELECT count(*) FROM newer") == [(0,)]
        assert opened.rows("SELECT count(*) FROM doubtful WHERE refused") == [(2,)]
        assert queries.messages(opened) == []


def test_one_in_an_inbox_is_a_message(database: Database) -> None:
    assert put(database, page(inbox("b"), packed(*replies(3)))).messages == 1
