"""A cluster: one pool of connections a master, and every command on the master that has its key; blocking.

Law: what goes to several nodes is sent to all of them before the first reply is read, so that they work side by
side. Which node, in which order and what again is decided by `routing`; here it is performed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, TypeAlias

from claude_comm.effects import Command, Post, Reach
from claude_comm.errors import ConfigurationError, ServerRefused, TransportError
from claude_comm.settings import parse_cluster, public
from claude_comm.transport.pool import APPEND_PART, REPLY_TIMEOUT_S, ConnectionPool, outcomes, pack, packed
from claude_comm.transport.routing import NodeBatch, Refresh, Routing, Step, Topology, Wave, route
from claude_comm.transport.slots import Address, read_map, slot_of, slot_of_key

SLOTS = Command(("CLUSTER", "SLOTS"))
_ASKING = pack(("ASKING",))

# The bytes of the commands at these places.
Packer: TypeAlias = Callable[[Sequence[int]], bytes]
# Sends, and reads when it is resumed; returns the replies.
_Flight: TypeAlias = Generator[None, None, list[Any]]


class ClusterTransport:
    """The masters of one cluster; safe to share between threads. The methods are those of `ConnectionPool`."""

    reach: Reach = "cluster"

    def __init__(self, url: str) -> None:
        self.url = url
        self._parsed = parse_cluster(url)
        self._topology = Topology([Address(*seed) for seed in self._parsed.seeds])
        self._nodes: dict[Address, ConnectionPool] = {}
        self._lock = threading.Lock()

    def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        steps = route(self._topology, [slot_of(command.args)])
        (reply,) = self._run(steps, commands_packer([command]), (command.within_ms + command.wait_ms) / 1000)
        if isinstance(reply, TransportError):
            raise reply
        return reply

    def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """The replies, in order; in its place an error reply as a ServerRefused, or a ServerUnreachable of its node.

        `wait_ms` is how long the last command asks its node to wait. Raises ServerUnreachable if no node answers.
        """
        slots = [slot_of(command.args) for command in commands]
        return self._run(route(self._topology, slots), commands_packer(commands), REPLY_TIMEOUT_S + wait_ms / 1000)

    def append(self, posts: Sequence[Post]) -> list[Any]:
        """Entry ids, in order; a refusal or an unreachable node stands in its place, as in `many`.

        Posts to one stream are appended in their order.
        """
        streams = [post.stream for post in posts]
        slots = [slot_of_key(stream) for stream in streams]
        return self._run(route(self._topology, slots, streams), posts_packer(posts), REPLY_TIMEOUT_S)

    def pools(self) -> list[ConnectionPool]:
        """Its masters, each as one server. Raises ServerUnreachable when there is no map of them."""
        if self._topology.map is None and (error := self._refresh()):
            raise error
        found = self._topology.map
        return [self._node(address) for address in found.masters] if found else []

    def close(self) -> None:
        for server in self._nodes.values():
            server.close()

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
            return self._fly([self._flight(batch, packer, within_s) for batch in step.batches])
        if isinstance(step, Refresh):
            return self._refresh()
        time.sleep(step.seconds)
        return None

    def _fly(self, flights: Sequence[_Flight]) -> list[Any]:
        """What each flight returned or met: in turns, until all have landed."""
        answers: list[Any] = [None] * len(flights)
        aloft = dict(enumerate(flights))
        try:
            while aloft:
                for number, flight in list(aloft.items()):
                    try:
                        next(flight)
                    except StopIteration as end:
                        answers[number] = end.value
                        del aloft[number]
                    except TransportError as error:
                        answers[number] = error
                        del aloft[number]
        finally:
            for flight in flights:
                flight.close()
        return answers

    def _flight(self, batch: NodeBatch, packer: Packer, within_s: float) -> _Flight:
        replies: list[Any] = []
        with self._node(batch.node).borrowed() as connection:
            unread = 0
            for places in chunks(batch.places):
                connection.send(chunk(packer, places, asking=batch.asking), within_s)
                yield
                replies += connection.read(unread)
                unread = replies_to(places, asking=batch.asking)
            replies += connection.read(unread)
        return outcomes(replies[1::2] if batch.asking else replies)

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

    def _node(self, address: Address) -> ConnectionPool:
        with self._lock:
            server = self._nodes.get(address)
            if server is None:
                server = self._nodes[address] = ConnectionPool(self._parsed.node(address))
            return server

    def _forget_old_nodes(self) -> None:
        """Closes what idles to nodes that are neither masters nor named in the address any more."""
        known = set(self._topology.candidates())
        with self._lock:
            for address in [old for old in self._nodes if old not in known]:
                self._nodes.pop(address).close_idle()


def commands_packer(commands: Sequence[Command]) -> Packer:
    return lambda places: b"".join([pack(commands[place].args) for place in places])


def posts_packer(posts: Sequence[Post]) -> Packer:
    return lambda places: packed([posts[place] for place in places])


def chunks(places: Sequence[int]) -> list[Sequence[int]]:
    """As many as travel together: enough to keep a node at work while the next are packed."""
    return [places[start : start + APPEND_PART] for start in range(0, len(places), APPEND_PART)]


def chunk(packer: Packer, places: Sequence[int], *, asking: bool) -> bytes:
    if not asking:
        return packer(places)
    return b"".join([_ASKING + packer([place]) for place in places])


def replies_to(places: Sequence[int], *, asking: bool) -> int:
    return len(places) * (2 if asking else 1)


def not_a_cluster(error: TransportError, url: str) -> TransportError:
    """The error, or a ConfigurationError raised where the node says that it is a server of its own."""
    if isinstance(error, ServerRefused) and "cluster support disabled" in error.text:
        plain = public(url).replace("+cluster", "", 1)
        raise ConfigurationError(f"{public(url)} is one server and not a cluster: write {plain}.") from None
    return error
