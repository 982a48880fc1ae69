"""What waits for its time on the server, and what lies on a stream."""

from __future__ import annotations

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.transport.driver import Client


def waiting(client: Client, keys: Keys, target: str) -> int:
    return int(client.data.one(Command(("ZCARD", keys.later(target)))))


def bodies(client: Client, stream: str) -> list[bytes]:
    return [fields[1] for _, fields in client.data.one(Command(("XRANGE", stream, "-", "+")))]
