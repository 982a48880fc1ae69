"""An append-only file that was damaged: what a user sees, and what is left when it is out of the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_comm import Publisher, Settings
from claude_comm.drive import launch
from claude_comm.drive.connect import connect
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database

MESSAGES = 20


def test_bytes_flipped_in_it_stop_the_server_and_the_error_says_what_to_do(home: Path) -> None:
    settings = Settings(home=home)
    with Publisher("a", settings=settings, outbox=home / "outbox.db") as publisher:
        for number in range(MESSAGES):
            publisher.publish("b", number)
    launch.stop(home)
    (file,) = (home / "server" / "appendonlydir").glob("*.incr.aof")
    whole = bytearray(file.read_bytes())
    # In the frame of a command in the middle: what is flipped inside of a payload no server notices.
    at = whole.index(b"*5\r\n$4\r\nXADD", len(whole) // 2)
    whole[at] ^= 0x01
    file.write_bytes(whole)
    with pytest.raises(ServerUnreachable) as refusal:
        launch.ensure(home)
    words = str(refusal.value)
    print(words)
    assert "appendonlydir" in words
    assert "move" in words
    (home / "server" / "appendonlydir").rename(home / "damaged")
    with Publisher("a", settings=settings, outbox=home / "outbox.db") as publisher, connect(settings) as links:
        publisher.publish("b", MESSAGES)
