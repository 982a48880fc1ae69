"""An append-only file that was damaged: what a user sees, and what is left when it is out of the way."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from claude_comm import Publisher, Settings
from claude_comm.client.publisher import outbox_sender
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.support.waiting import wait_until

MESSAGES = 20


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox looks for what the server has lost more often than it has to, and earlier."""
    monkeypatch.setattr(outbox_sender, "SETTLE_S", 0.3)
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    monkeypatch.setattr(outbox_sender, "AUDIT_S", 0.1)


def test_bytes_flipped_in_it_stop_the_server_and_the_error_says_what_to_do(home: Path) -> None:
    settings = Settings(home=home)
    stop_with_a_damaged_file(settings, home)
    with pytest.raises(ServerUnreachable) as refusal:
        private_server.ensure(home)
    assert f"{home / 'server' / 'appendonlydir'} is damaged: move that folder away" in str(refusal.value)


def test_with_the_damaged_file_out_of_the_way_outbox_and_projection_bring_all_of_it_back(home: Path) -> None:
    settings = Settings(home=home)
    stop_with_a_damaged_file(settings, home)
    (home / "server" / "appendonlydir").rename(home / "damaged")
    with Publisher("a", settings=settings, outbox=home / "outbox.db") as publisher:
        publisher.publish("b", MESSAGES)
        wait_until(lambda: sorted(projected(settings)) == list(range(MESSAGES + 1)), what="all is stored once")


def test_with_the_damage_cut_off_the_server_starts_and_the_outbox_sends_the_rest(home: Path) -> None:
    """What `valkey-check-aof --fix` does: it keeps what lies before the damage."""
    settings = Settings(home=home)
    at = stop_with_a_damaged_file(settings, home)
    with incr(home).open("r+b") as file:
        file.truncate(at)
    with Publisher("a", settings=settings, outbox=home / "outbox.db") as publisher:
        publisher.publish("b", MESSAGES)
        wait_until(lambda: sorted(projected(settings)) == list(range(MESSAGES + 1)), what="all is stored once")


def stop_with_a_damaged_file(settings: Settings, home: Path) -> int:
    """Publishes, projects the first half, and stops the server; where in its file a bit was flipped."""
    with Publisher("a", settings=settings, outbox=home / "outbox.db") as publisher:
        publisher.publish_many("b", range(MESSAGES // 2))
        projected(settings)
        publisher.publish_many("b", range(MESSAGES // 2, MESSAGES))
    private_server.stop(home)
    whole = bytearray(incr(home).read_bytes())
    # In the frame of a command in the middle: what is flipped inside of a payload no server notices.
    at = whole.index(b"*5\r\n$4\r\nXADD", len(whole) // 2)
    whole[at] ^= 0x01
    incr(home).write_bytes(whole)
    return at


def incr(home: Path) -> Path:
    (file,) = (home / "server" / "appendonlydir").glob("*.incr.aof")
    return file


def projected(settings: Settings) -> list[int]:
    keys = Keys(settings.namespace)
    with connect(settings) as client, open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
        return [msgspec.msgpack.decode(data) for (data,) in database.rows("SELECT data FROM messages")]
