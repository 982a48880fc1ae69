"""The asyncio twin of `transport.cluster`: the same routing, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from claude_comm.effects import Command, Post, Reach
from claude_comm.errors import TransportError
from claude_comm.settings import parse_cluster
from claude_comm.transport.async_driver import AsyncConnectionPool, Landed
from claude_comm.transport.cluster import (
    SLOTS,
    Packer,
    chunk,
    chunks,
    commands_packer,
    not_a_cluster,
    posts_packer,
    replies_to,
)
from claude_comm.transport.pool import REPLY_TIMEOUT_S, outcomes
from claude_comm.transport.routing import NodeBatch, Refresh, Routing, Step, Topology, Wave, route
from claude_comm.transport.slots import Address, read_map, slot_of, slot_of_key


class AsyncClusterTransport:
    """The masters of one cluster, for one event loop. The methods are those of `AsyncConnectionPool`."""

    reach: Reach = "cluster"

    def __init__(self, url: str) -> None:
        self.url = url
        self._parsed = parse_cluster(url)
        self._topology = Topology([Address(*seed) for seed in self._parsed.seeds])
        self._nodes: dict[Address, AsyncConnectionPool] = {}

    async def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        steps = route(self._topology, [slot_of(command.args)])
        (reply,) = await self._run(steps, commands_packer([command]), (command.within_ms + command.wait_ms) / 1000)
        if isinstance(reply, TransportError):
            raise reply
        return reply

    async def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """As `ClusterTransport.many`."""
        slots = [slot_of(command.args) for command in commands]
        return await self._run(
            route(self._topology, slots), commands_packer(commands), REPLY_TIMEOUT_S + wait_ms / 1000
        )

    async def append(self, posts: Sequence[Post]) -> list[Any]:
        """As `ClusterTransport.append`."""
        streams = [post.stream for post in posts]
        slots = [slot_of_key(stream) for stream in streams]
        return await self._run(route(self._topology, slots, streams), posts_packer(posts), REPLY_TIMEOUT_S)

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Never: each master has its batch, and what a slot that moves makes of the order is for `append` to mend."""
        return False

    async def close(self) -> None:
        for server in self._nodes.values():
            await server.close()

    async def _run(self, steps: Routing, packer: Packer, within_s: float) -> list[Any]:
        with closing(steps):
            try:
                step = next(steps)
                while True:
                    step = steps.send(await self._perform(step, packer, within_s))
            except StopIteration as end:
                replies: list[Any] = end.value
                return replies

    async def _perform(self, step: Step, packer: Packer, within_s: float) -> Any:
        if isinstance(step, Wave):
            return await self._fly(step.batches, packer, within_s)
        if isinstance(step, Refresh):
            return await self._refresh()
        await asyncio.sleep(step.seconds)
        return None

    async def _fly(self, batches: Sequence[NodeBatch], packer: Packer, within_s: float) -> list[Any]:
        """What each batch was answered or met. Cancelled, it leaves when all of them have let go of their nodes."""
        if len(batches) == 1:
            return [await self._flight(batches[0], packer, within_s)]
        flights = (self._flight(batch, packer, within_s) for batch in batches)
        answers = await asyncio.gather(*flights, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, TransportError):
                raise answer
        return answers

    async def _flight(self, batch: NodeBatch, packer: Packer, within_s: float) -> list[Any] | TransportError:
        replies: list[Any] = []
        try:
            async with self._node(batch.node).borrowed() as connection:
                unread = 0
                for places in chunks(batch.places):
                    connection.send(chunk(packer, places, asking=batch.asking))
                    replies += await connection.read(unread, within_s)
                    unread = replies_to(places, asking=batch.asking)
                replies += await connection.read(unread, within_s)
        except TransportError as error:
            return error
        return outcomes(replies[1::2] if batch.asking else replies)

    async def _refresh(self) -> TransportError | None:
        """Takes the map from the first node that has one; the error of the last if none has."""
        error: TransportError | None = None
        for address in self._topology.candidates():
            try:
                self._topology.learn(read_map(await self._node(address).one(SLOTS), address))
            except TransportError as met:
                error = not_a_cluster(met, self.url)
                self._topology.failed(address)
            else:
                self._forget_old_nodes()
                return None
        return error

    def _node(self, address: Address) -> AsyncConnectionPool:
        server = self._nodes.get(address)
        if server is None:
            server = self._nodes[address] = AsyncConnectionPool(self._parsed.node(address))
        return server

    def _forget_old_nodes(self) -> None:
        """Closes what idles to nodes that are neither masters nor named in the address any more."""
        known = set(self._topology.candidates())
        for address in [old for old in self._nodes if old not in known]:
            self._nodes.pop(address).close_idle()
