"""Publishing, beside redis-py pipelines that carry the same bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import redis

from benchmarks.side_by_side import report, rounds
from claude_comm import Publisher, Settings
from claude_comm.client.opening import micros
from claude_comm.drive import launch
from claude_comm.ids import uuid7
from claude_comm.ops import registry
from claude_comm.registry.contracts import contract

COUNT = 10_000
PIPELINE = 500
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["n", "text"],
}


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="cc-"))
    settings = Settings(home=home)
    payloads = [{"n": number, "text": "x" * 180} for number in range(COUNT)]
    try:
        with Publisher("plain", settings=settings) as plain, Publisher("agreed", settings=settings) as agreed:
            plain.links.run(registry.register(plain.identity.keys, contract("sink", accepts={"fits": SCHEMA})))
            agreed.negotiate("sink", SCHEMA, type="fits")
            client = redis.Redis(unix_socket_path=str(launch.socket_path(home)))
            ways = {
                "redis-py pipelines of 500": lambda: _pipelines(client, payloads),
                "publish_many": lambda: plain.publish_many("sink", payloads),
                "publish_many, validated": lambda: agreed.publish_many("sink", payloads, type="fits"),
            }
            report(rounds(ways, 7), baseline="redis-py pipelines of 500", items=COUNT, unit="messages")
    finally:
        launch.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _pipelines(client: redis.Redis, payloads: list[dict[str, object]]) -> None:
    encode = msgspec.msgpack.Encoder().encode
    for start in range(0, len(payloads), PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for data in payloads[start : start + PIPELINE]:
            time_us = micros()
            body = encode({"id": uuid7(time_us, os.urandom(8)), "source": "a", "target": "b", "data": data})
            pipeline.execute_command("XADD", "bare", "*", "e", body)
        pipeline.execute()
