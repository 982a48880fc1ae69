# Written by tools/twins.py from async_cluster.py: edit that file.
"""A cluster: one pool of connections a master, and every command on the master that has its key; blocking.

Law: which node, in which order and what again is decided by `routing`; here it is performed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from claude_comm.addresses import parse_cluster
from claude_comm.effects import REPLY_WITHIN_MS, Command, Post, Reach
from claude_comm.errors import TransportError
from claude_comm.transport.node_protocol import SLOTS, Packer, commands_packer, not_a_cluster, posts_packer
from claude_comm.transport.pool import ConnectionPool, PendingReplies
from claude_comm.transport.routing import Refresh, Routing, Step, Topology, Wave, route
from claude_comm.transport.slots import NodeAddress, read_map, slot_of, slot_of_key
from claude_comm.transport.wave import send_wave


class ClusterTransport:
    """The masters of one cluster; safe to share between threads. The methods are those of `ConnectionPool`."""

    reach: Reach = "cluster"

    def __init__(self, url: str) -> None:
        self.url = url
        self._parsed = parse_cluster(url)
        self._topology = Topology([NodeAddress(*seed) for seed in self._parsed.seeds])
        # Every step on it is one operation of a dict, so that threads may share it.
        self._nodes: dict[NodeAddress, ConnectionPool] = {}

    def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        steps = route(self._topology, [slot_of(command.args)])
        (reply,) = self._run(steps, commands_packer([command]), (command.within_ms + command.wait_ms) / 1000)
        if isinstance(reply, TransportError):
            raise reply
        return reply

    def many(self, commands: Sequence[Command], wait_ms: int = 0, within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """The replies, in order; in its place an error reply as a ServerRefused, or a ServerUnreachable of its node.

        `wait_ms` is how long the last command asks its node to wait, `within_ms` how long a node may take beyond that.
        Raises ServerUnreachable if no node answers.
        """
        slots = [slot_of(command.args) for command in commands]
        steps = route(self._topology, slots)
        return self._run(steps, commands_packer(commands), (within_ms + wait_ms) / 1000)

    def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: PendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> PendingReplies:
        """Never: what a slot that moves makes of a pipeline is for `many` to answer."""
        raise TypeError("an operation can be begun on one server, not on a cluster")

    def append(self, posts: Sequence[Post], within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """Entry ids, in order; a refusal or an unreachable node stands in its place, as in `many`.

        Posts to one stream are appended in their order.
        """
        streams = [post.stream for post in posts]
        slots = [slot_of_key(stream) for stream in streams]
        return self._run(route(self._topology, slots, streams), posts_packer(posts), within_ms / 1000)

    def pools(self) -> list[ConnectionPool]:
        """Its masters, each as one server. Raises ServerUnreachable when there is no map of them."""
        if self._topology.map is None and (error := self._refresh()):
            raise error
        known = self._topology.map
        return [self._node(address) for address in known.masters] if known else []

    def close(self) -> None:
        for pool in list(self._nodes.values()):
            pool.close()

    def _run(self, steps: Routing, packer: Packer, within_s: float) -> list[Any]:
        with closing(steps):
            try:
                step = next(steps)
                while True:
                    step = steps.send(self._perform(step, packer, within_s))
            except StopIteration as end:
                replies: list[Any] = end.value
                return replies

    def _perform(self, step: Step, packer: Packer, within_s: float) -> Any:
        if isinstance(step, Wave):
            return send_wave(self._node, step.batches, packer, within_s)
        if isinstance(step, Refresh):
            return self._refresh()
        return time.sleep(step.seconds)

    def _refresh(self) -> TransportError | None:
        """Takes the map from the first node that has one; the error of the last if none has."""
        error: TransportError | None = None
        for address in self._topology.candidates():
            try:
                self._topology.learn(read_map(self._node(address).one(SLOTS), address))
            except TransportError as met:
                error = not_a_cluster(met, self.url)
                self._topology.failed(address)
            else:
                self._forget_old_nodes()
                return None
        return error

    def _node(self, address: NodeAddress) -> ConnectionPool:
        pool = self._nodes.get(address)
        return pool or self._nodes.setdefault(address, ConnectionPool(self._parsed.node(address)))

    def _forget_old_nodes(self) -> None:
        """Closes what idles to nodes that are neither masters nor named in the address any more."""
        known = set(self._topology.candidates())
        for address in [old for old in list(self._nodes) if old not in known]:
            pool = self._nodes.pop(address, None)
            if pool is not None:
                pool.close_idle()
