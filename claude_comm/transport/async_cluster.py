"""A cluster: one pool of connections a master, and every command on the master that has its key; asyncio.

Law: which node, in which order and what again is decided by `routing`; here it is performed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from claude_comm.addresses import parse_cluster
from claude_comm.effects import REPLY_WITHIN_MS, Command, Post, Reach
from claude_comm.errors import TransportError
from claude_comm.transport.async_pool import AsyncConnectionPool, AsyncPendingReplies, Landed
from claude_comm.transport.async_wave import send_wave
from claude_comm.transport.node_protocol import SLOTS, Packer, commands_packer, not_a_cluster, posts_packer
from claude_comm.transport.routing import Refresh, Routing, Step, Topology, Wave, route
from claude_comm.transport.slots import NodeAddress, read_map, slot_of, slot_of_key


class AsyncClusterTransport:
    """The masters of one cluster, for one event loop. The methods are those of `AsyncConnectionPool`."""

    reach: Reach = "cluster"

    def __init__(self, url: str) -> None:
        self.url = url
        self._parsed = parse_cluster(url)
        self._topology = Topology([NodeAddress(*seed) for seed in self._parsed.seeds])
        # Every step on it is one operation of a dict, so that threads may share it.
        self._nodes: dict[NodeAddress, AsyncConnectionPool] = {}

    async def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        steps = route(self._topology, [slot_of(command.args)])
        (reply,) = await self._run(steps, commands_packer([command]), (command.within_ms + command.wait_ms) / 1000)
        if isinstance(reply, TransportError):
            raise reply
        return reply

    async def many(self, commands: Sequence[Command], wait_ms: int = 0, within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """The replies, in order; in its place an error reply as a ServerRefused, or a ServerUnreachable of its node.

        `wait_ms` is how long the last command asks its node to wait, `within_ms` how long a node may take beyond that.
        Raises ServerUnreachable if no node answers.
        """
        slots = [slot_of(command.args) for command in commands]
        steps = route(self._topology, slots)
        return await self._run(steps, commands_packer(commands), (within_ms + wait_ms) / 1000)

    async def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: AsyncPendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> AsyncPendingReplies:
        """Never: what a slot that moves makes of a pipeline is for `many` to answer."""
        raise TypeError("an operation can be begun on one server, not on a cluster")

    # asyncio only
    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Never: each master has its part, and what a slot that moves makes of the order is for `append` to mend."""
        return False

    async def append(self, posts: Sequence[Post], within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """Entry ids, in order; a refusal or an unreachable node stands in its place, as in `many`.

        Posts to one stream are appended in their order.
        """
        streams = [post.stream for post in posts]
        slots = [slot_of_key(stream) for stream in streams]
        return await self._run(route(self._topology, slots, streams), posts_packer(posts), within_ms / 1000)

    async def pools(self) -> list[AsyncConnectionPool]:
        """Its masters, each as one server. Raises ServerUnreachable when there is no map of them."""
        if self._topology.map is None and (error := await self._refresh()):
            raise error
        known = self._topology.map
        return [self._node(address) for address in known.masters] if known else []

    async def close(self) -> None:
        for pool in list(self._nodes.values()):
            await pool.close()

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
            return await send_wave(self._node, step.batches, packer, within_s)
        if isinstance(step, Refresh):
            return await self._refresh()
        return await asyncio.sleep(step.seconds)

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

    def _node(self, address: NodeAddress) -> AsyncConnectionPool:
        pool = self._nodes.get(address)
        return pool or self._nodes.setdefault(address, AsyncConnectionPool(self._parsed.node(address)))

    def _forget_old_nodes(self) -> None:
        """Closes what idles to nodes that are neither masters nor named in the address any more."""
        known = set(self._topology.candidates())
        for address in [old for old in list(self._nodes) if old not in known]:
            pool = self._nodes.pop(address, None)
            if pool is not None:
                pool.close_idle()
