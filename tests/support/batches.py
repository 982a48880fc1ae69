"""What stands for the sender and its server where batching is tried: it records the batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from claude_comm.effects import Post
from claude_comm.errors import (
    ServerRefused,
    TransportError,
)
from claude_comm.ops.publish import Outcomes
from claude_comm.transport.async_pool import Landed
from tests.support.waiting import PATIENCE_S


class Server:
    """Stands for the sender and its server: records the batches, and holds each until the gate is open."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.refused: dict[bytes, ServerRefused] = {}
        self.broken: Exception | None = None

    def deliver(self, posts: Sequence[Post]) -> Outcomes:
        self.batches.append([post.body for post in posts])
        assert self.gate.wait(PATIENCE_S)
        if self.broken is not None:
            raise self.broken
        return [self.refused.get(post.body, b"1-1") for post in posts]


class Connection:
    """Stands for a connection that carries several batches: records them, and answers them when it is told to."""

    def __init__(self, *, open_: bool = True) -> None:
        self.in_flight: list[tuple[list[bytes], Landed]] = []
        self.bodies: list[bytes] = []
        self.open = open_

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        if self.open:
            self.bodies += [post.body for post in posts]
            self.in_flight.append(([post.body for post in posts], done))
        return self.open

    def answer(self, outcome: TransportError | None = None) -> None:
        bodies, done = self.in_flight.pop(0)
        done(outcome or [b"1-1" for _ in bodies])


class Wire:
    """Stands for the asyncio sender: begins batches on the connection, and delivers to the server."""

    may_begin = True

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server, self.begin = server, connection.begin

    async def deliver(self, posts: Sequence[Post]) -> Outcomes:
        await asyncio.sleep(0)
        return self._server.deliver(posts)


def post(body: bytes) -> Post:
    return Post("s", body)
