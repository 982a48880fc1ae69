"""What a module's streams hold, and messages put into them."""

from __future__ import annotations

from typing import Any

from claude_comm import Publisher, Settings
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, decode
from claude_comm.names import Keys
from claude_comm.progress.events import decode_event
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client


def publish(settings: Settings, target: str, *payloads: object) -> list[str]:
    with Publisher("src", settings=settings) as publisher:
        return publisher.publish_many(target, payloads)


def sent(client: Client, settings: Settings, target: str) -> list[Envelope]:
    stream = Keys(settings.namespace).stream(target)
    entries = client.data.one(Command(("XRANGE", stream, "-", "+")))
    return [decode(fields[1]) for _, fields in entries]


def pending(client: Client, keys: Keys, module: str) -> int:
    return int(client.data.one(Command(("XPENDING", keys.inbox(module), module)))[0])


def rows(client: Client, keys: Keys, module: str) -> list[tuple[str, int]]:
    """Who holds each pending delivery, and how often it counts as handed out."""
    told = client.data.one(Command(("XPENDING", keys.inbox(module), module, "-", "+", 10_000)))
    return [(consumer.decode(), times) for _id, consumer, _idle, times in told]


# The server's clock and the time since each delivery began or was renewed, in one moment.
_LEASES = """
local now = redis.call('TIME')
local began = {}
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000)) do
  began[#began + 1] = now[1] * 1000 + math.floor(now[2] / 1000) - row[3]
end
return began
"""


def leases_ms(client: Client, keys: Keys, module: str) -> list[int]:
    """When the lease of each pending delivery began, by the server's clock: a renewal moves it on."""
    began = client.data.one(Command(("EVAL", _LEASES, 1, keys.inbox(module), module)))
    return [int(moment) for moment in began]


def events(client: Client, keys: Keys, module: str) -> list[Any]:
    entries = client.data.one(Command(("XRANGE", keys.events(module), "-", "+")))
    return [decode_event(decode(fields[1]).data) for _, fields in entries]


def dead(client: Client, keys: Keys, module: str) -> list[dict[bytes, bytes]]:
    entries = client.data.one(Command(("XRANGE", keys.dead(module), "-", "+")))
    return [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in entries]


def project(settings: Settings, client: Client, keys: Keys) -> None:
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
