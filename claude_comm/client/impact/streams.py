"""The messages that lie in the streams of a module, replayed: retained, pending, delayed and dead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from claude_comm.envelope import Envelope, decode, decode_all
from claude_comm.errors import EnvelopeError
from claude_comm.impact.replay import Replay
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import dead, retained
from claude_comm.registry.contracts import Contract
from claude_comm.transport.driver import Client

Learn = Callable[[Iterable[str]], None]


class Scanned(msgspec.Struct):
    """How many messages were replayed, by where they are, and how many entries were no messages."""

    places: dict[str, int] = {}
    unreadable: int = 0

    @property
    def messages(self) -> int:
        return sum(self.places.values())

    def add(self, where: str, count: int) -> None:
        self.places[where] = self.places.get(where, 0) + count

    @property
    def sentence(self) -> str:
        places = ", ".join(f"{count:,} {where}" for where, count in sorted(self.places.items()) if count)
        odd = f"; {self.unreadable:,} entries are no messages" if self.unreadable else ""
        return f"{self.messages:,} message(s) in the streams ({places or 'they are empty'}){odd}"


def targets(contracts: Iterable[Contract]) -> list[str]:
    """What a module reads by any of these contracts: itself, and topics."""
    return list(
        dict.fromkeys(
            target
            for contract in contracts
            for target in (contract.module, *(f"{TOPIC_PREFIX}{topic}" for topic in contract.topics))
        )
    )


def scan(
    client: Client, keys: Keys, module: str, read: Sequence[str], replay: Replay, learn: Learn, *,
    since_ms: int, max_bytes: int,
) -> Scanned:  # fmt: skip
    """Replays what is not settled and what was settled since then. `learn` is told the agreements that are met."""
    scanned = Scanned()

    def judge(envelopes: Sequence[Envelope], where: str) -> None:
        learn({envelope.agreement for envelope in envelopes})
        scanned.add(where, replay.envelopes(envelopes, where))

    for target in read:
        for where, bodies in _stream(client, keys.stream(target), module, since_ms):
            judge(_decoded(bodies, max_bytes, scanned), where)
        for bodies in _delayed(client, keys.later(target)):
            judge(_decoded(bodies, max_bytes, scanned), "delayed")
    for envelopes in _dead(client, keys, module, max_bytes):
        judge(envelopes, "dead")
    return scanned


def _stream(client: Client, stream: str, module: str, since_ms: int) -> Iterator[tuple[str, list[bytes]]]:
    """The envelopes of each page, those together that are in the same place."""
    reading = client.run(retained.reading(stream, module))
    after = reading.start(since_ms)
    while True:
        page = client.run(retained.page(stream, after))
        places: dict[str, list[bytes]] = {}
        for entry_id, body in page:
            where = reading.where(entry_id)
            # What is settled, and lies between older messages that are not, is older than was asked for.
            if where != "settled" or int(entry_id.partition("-")[0]) >= since_ms:
                places.setdefault(where, []).append(body)
        yield from places.items()
        if len(page) < retained.PAGE:
            return
        after = f"({page[-1][0]}"


def _delayed(client: Client, later: str) -> Iterator[list[bytes]]:
    start = 0
    while bodies := client.run(retained.delayed(later, start)):
        yield bodies
        start += len(bodies)


def _dead(client: Client, keys: Keys, module: str, max_bytes: int) -> Iterator[list[Envelope]]:
    place = client.run(dead.begin(keys, module))
    while place.after:
        burials, place = client.run(dead.page(keys, place, max_bytes=max_bytes))
        yield [burial.envelope for burial in burials if burial.envelope is not None]


def _decoded(bodies: Sequence[bytes], max_bytes: int, scanned: Scanned) -> list[Envelope]:
    whole = decode_all(bodies, max_bytes=max_bytes)
    if whole is not None:
        return whole
    envelopes = []
    for body in bodies:
        try:
            envelopes.append(decode(body, max_bytes=max_bytes))
        except EnvelopeError:
            scanned.unreadable += 1
    return envelopes
