"""The tiers of docs/security.md, as a module that was taken over finds them."""

from __future__ import annotations

from typing import NamedTuple

from claude_comm import Consumer, Settings
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, encode, pack
from claude_comm.names import Keys
from claude_comm.transport.driver import Client

TIERS = ("private, shared", "access users alone", "signatures alone", "zoned: both")
EVIL = "evil"


class World(NamedTuple):
    """A tier: what the owner has, and what who attacks has."""

    settings: Settings
    owner: Client
    evil: Settings
    attacker: Client

    @property
    def keys(self) -> Keys:
        return Keys(self.settings.namespace)

    def add(self, stream: str, body: bytes, *more: bytes) -> None:
        self.attacker.data.one(Command(("XADD", stream, "*", "e", body, *more)))

    def handled(self, module: str = "b") -> list[object]:
        """What a module is handed."""
        with Consumer(module, settings=self.settings, dedup_s=60) as consumer:
            payloads: list[object] = []
            while deliveries := consumer.read(wait_s=0):
                payloads += [delivery.payload() for delivery in deliveries]
                for delivery in deliveries:
                    consumer.ack(delivery)
        return payloads


def message(payload: object, *, id: str = "forged", source: str = "a", target: str = "b", **more: str) -> bytes:
    return encode(Envelope(id=id, source=source, target=target, time=1, data=pack(payload), **more))  # type: ignore[arg-type]
