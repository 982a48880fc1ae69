"""Negotiating, in the caller: a question that was asked before, and a new one, beside one bare round trip.

No peer negotiates; the round trip is what the server and the link take of it.
"""

from __future__ import annotations

import itertools

import redis

from benchmarks.messages import SCHEMA
from benchmarks.place import place
from benchmarks.side_by_side import Result, rounds, times
from claude_comm import Publisher
from claude_comm.ops import registration
from claude_comm.registry.contracts import contract

ROUNDS = 30


def main() -> list[Result]:
    with place() as where, Publisher("asker", settings=where.settings()) as publisher:
        keys = publisher.identity.keys
        publisher.client.run(registration.register(keys, contract("agreeing", accepts={"fits": SCHEMA})))
        client, numbers = redis.Redis(unix_socket_path=where.socket), itertools.count()

        def new_question() -> None:
            schema = {**SCHEMA, "description": f"question {next(numbers)}"}
            publisher.negotiate("agreeing", schema, type="fits")

        ways = {
            "redis-py, one round trip": lambda: client.hget("bench:{registry}:modules", "agreeing") and None,
            "claude-comm negotiate, asked before": lambda: (
                publisher.negotiate("agreeing", SCHEMA, type="fits") and None
            ),
            "claude-comm negotiate, a new question": new_question,
        }
        return [times("Negotiate", rounds(ways, ROUNDS), note="One agreement on a schema of three properties.")]
