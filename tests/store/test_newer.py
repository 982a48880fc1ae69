"""Two releases side by side: what the older projection cannot read waits whole, and is read after the upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args

import msgspec
import pytest

from claude_comm import envelope as envelopes
from claude_comm.progress import events as event_kinds
from claude_comm.progress.events import EVENT_TYPE, Event, FileOperation, Handled, Retried
from claude_comm.store import newer, queries
from claude_comm.store.database import Database, open_database
from tests.support.facts import KEYS, envelope, events, happened, inbox, page, put, settled


class Paused(msgspec.Struct, frozen=True, tag="paused", tag_field="kind"):
    """A kind of event that this release does not have."""

    why: str


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def of_version(version: int, **extra: object) -> bytes:
    """An envelope as that version writes it."""
    fields: dict[str, Any] = msgspec.structs.asdict(envelope())
    return msgspec.msgpack.encode({**fields, **extra, "v": version})


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the program is of the newer release."""
    monkeypatch.setattr(envelopes, "WIRE_VERSION", 2)
    monkeypatch.setattr(newer, "WIRE_VERSION", 2)
    kinds = event_kinds.KINDS | {"paused"}
    monkeypatch.setattr(event_kinds, "KINDS", kinds)
    monkeypatch.setattr(newer, "KINDS", kinds)
    union = (*get_args(Event), Paused)
    monkeypatch.setattr(event_kinds, "_decoder", msgspec.msgpack.Decoder(Union[union]))  # noqa: UP007


def test_a_newer_envelope_is_kept_whole_and_read_after_the_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = of_version(2, data="x" * 1_000)
    assert put(database, page(inbox("b"), envelope(), body)).newer == 1
    assert len(queries.messages(database)) == 1
    assert queries.unreadable(database) == []
    assert newer.waiting(database) == 1
    assert newer.reread(database, KEYS).messages == 0
    upgrade(monkeypatch)
    assert newer.reread(database, KEYS).messages == 1
    assert len(queries.messages(database)) == 2
    assert (newer.waiting(database), newer.reread(database, KEYS).entries) == (0, 0)


def test_an_envelope_whose_newer_form_this_release_cannot_even_decode_is_kept_too(database: Database) -> None:
    assert put(database, page(inbox("b"), of_version(3, source={"name": "a", "tenant": 7}))).newer == 1
    ((needs,),) = database.rows("SELECT needs FROM newer")
    assert needs == "wire 3"


def test_a_newer_kind_of_event_is_kept_whole_and_read_after_the_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = envelope("b", "b", type=EVENT_TYPE, data=Paused("tea" * 500), session="s")
    read = happened("b", FileOperation("read", "p", "success"), session="s")
    assert put(database, page(events("b"), paused, read)).events == 1
    ((needs,),) = database.rows("SELECT needs FROM newer")
    assert needs == "event paused"
    upgrade(monkeypatch)
    assert newer.reread(database, KEYS).events == 1
    assert [kind for (kind,) in database.rows("SELECT kind FROM events ORDER BY number")] == ["file", "paused"]


def test_a_stream_that_is_read_again_keeps_a_newer_entry_once(database: Database) -> None:
    body = of_version(2)
    put(database, page(inbox("b"), body))
    with database.write() as writer:
        writer.execute("UPDATE checkpoints SET epoch = 2, entry_id = '0-0'")
    assert put(database, page(inbox("b"), body, epoch=2)).newer == 0
    assert newer.waiting(database) == 1


def test_what_is_broken_and_not_newer_stays_unreadable(database: Database) -> None:
    odd = envelope("b", "b", type=EVENT_TYPE, data={"kind": "handled", "deliveries": "no"})
    put(database, page(events("b"), odd), page(inbox("b"), b"\xc1", msgspec.msgpack.encode({"v": "new"})))
    assert newer.waiting(database) == 0
    assert len(queries.unreadable(database)) == 3


def test_a_column_that_another_tool_added_stops_nothing(database: Database) -> None:
    packed = ("packed_messages", "packed_events", "packed_deliveries", "tracked_communications", "traffic", "names")
    for table in (*packed, "session_stats", "file_operations"):
        with database.write() as writer:
            writer.execute(f"ALTER TABLE {table} ADD COLUMN of_another_tool TEXT")
    message = envelope(session="s")
    put(
        database,
        page(inbox("b"), message),
        page(
            events("b"),
            happened("b", FileOperation("r", "p", "success"), session="s"),
            happened("b", Retried(settled(message), "no", 2)),
            happened("b", Handled([settled(message, attempts=2)])),
        ),
    )
    (row,) = queries.messages(database)
    assert row.id == message.id
    assert queries.message(database, row.id) == row
    assert queries.session(database, "s") is not None
    assert len(queries.file_operations(database)) == 1


def test_messages_are_listed_by_their_time(database: Database) -> None:
    late, early = envelope(data="late", time=2_000), envelope(data="early", time=1_000)
    put(database, page(inbox("b"), late, early))
    assert [row.payload() for row in queries.messages(database)] == ["late", "early"]
