"""Impact: how quickly messages in a stream are replayed, and how quickly a month of them is weighed by its shapes.

Nobody else answers the question, so that the bare loop is what it could not do without: read a page, decode each
envelope and its payload, and validate it. Ten of the messages, all of one shape, have a text that a narrower contract
refuses: they are to be found, each by its id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import redis

from benchmarks.messages import SCHEMA, TEXT, payloads
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, rates, rounds, times
from claude_comm import Publisher
from claude_comm.client.impact import past, streams
from claude_comm.client.impact.past import PastWindow
from claude_comm.envelope import Envelope
from claude_comm.impact.replay import Replay
from claude_comm.impact.sensitive import NOTHING
from claude_comm.names import Keys
from claude_comm.registry.contracts import Contract, contract
from claude_comm.store import shapes
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect

COUNT, PAGE, ROUNDS = 100_000, 1_000, 5
PLANTED = range(COUNT // 20, COUNT, COUNT // 10)
NARROWED = {**SCHEMA, "properties": {**SCHEMA["properties"], "text": {"type": "string", "maxLength": len(TEXT)}}}


def main() -> list[Result]:
    with place() as where, connect(where.settings()) as client:
        settings, keys = where.settings(), Keys(where.settings().namespace)
        new = contract("sink", version="2.0.0", accepts={"message": SCHEMA})
        narrowed = contract("sink", version="2.0.0", accepts={"message": NARROWED})
        with Publisher("bench", settings=settings) as publisher:
            ids = publisher.publish_many("sink", _planted())

        def scan() -> None:
            replay = Replay(new, new)
            read = streams.targets([new])
            limit = settings.max_envelope_bytes
            scanned = streams.scan(client, keys, "sink", read, replay, lambda _: None, since_ms=0, max_bytes=limit)
            assert scanned.messages == replay.of("bench", "message").fitting == COUNT

        ways: dict[str, Callable[[], None]] = {
            "redis-py, msgspec and jsonschema-rs": lambda: _bare(where),
            "claude-comm, messages of a stream replayed": scan,
        }
        items = dict.fromkeys(ways, COUNT)
        replayed = rates("Impact", rounds(ways, ROUNDS), items, note=f"{COUNT:,} messages of 200 bytes, all fit.")
        with open_database(Path(where.home) / "shapes.db") as database:
            catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
            began = time.process_time()
            shapes.Folder(database, lambda _flow: NOTHING).all()
            folding_us = (time.process_time() - began) * 1e6 / COUNT
            planted = {ids[number] for number in PLANTED}
            weighings: dict[str, Callable[[], None]] = {
                "claude-comm, all fit": lambda: _weigh(database, keys, new, new, set()),
                "claude-comm, ten fail for their value": lambda: _weigh(database, keys, narrowed, new, planted),
            }
            weighed = rounds(weighings, ROUNDS)
        note = f"{COUNT:,} messages; folding one into its shape takes {folding_us:.1f} µs of the worker's idle time."
        return [replayed, times("Impact, history by shapes", weighed, note=note)]


def _bare(where: Place) -> None:
    client, valid = redis.Redis(unix_socket_path=where.socket), jsonschema_rs.validator_for(SCHEMA).is_valid
    decode, payload = msgspec.msgpack.Decoder(Envelope).decode, msgspec.msgpack.Decoder().decode
    after, count = "-", 0
    while True:
        entries: Any = client.xrange("bench:{m:sink}:inbox", after, "+", count=PAGE)
        count += sum(valid(payload(decode(fields[b"e"]).data)) for _, fields in entries)
        if len(entries) < PAGE:
            break
        after = f"({entries[-1][0].decode()}"
    assert count == COUNT


def _planted() -> list[dict[str, Any]]:
    messages = payloads(COUNT)
    for number in PLANTED:
        messages[number]["text"] += "x"
    return messages


def _weigh(database: Any, keys: Keys, new: Contract, old: Contract, failing: set[str]) -> None:
    flows = shapes.of_target(database, "sink", keys.inbox("sink"))
    found = past.weigh(flows, new, Replay(new, old), database, PastWindow(0, COUNT))
    assert {id_ for evidence in found.evidence.values() for id_ in evidence.failing} == failing
    assert (found.messages, found.unknown) == (COUNT, 0)
