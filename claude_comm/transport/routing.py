"""How many commands find their nodes, as steps: both cluster drivers perform them, so that it is written once.

Law: a command is sent again only where its answer proves that it was not executed (a redirection, a slot on the
move, a cluster that is down). A node that does not answer leaves its commands undecided: each has ServerUnreachable
in its place, and only if that holds for all of them is it raised.

Order: commands of one slot travel on one connection in their order. What is sent again keeps it, since all that are
left of one slot go the way of the first of them. Where a later one of its stream was executed all the same (a slot
that left and came back between two of them), a post is not sent again: its refusal stands.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, TypeAlias

from claude_comm.effects import Pause
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.transport.slots import NodeAddress, Redirection, SlotMap, redirection

# Refusals of commands that were not executed, beside the redirections.
_LATER = frozenset({"CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"})
_DOWN = frozenset({"CLUSTERDOWN"})
_AGAIN = _LATER | {"MOVED", "ASK"}

# Redirections that are followed at once; beyond them the nodes disagree, and need time.
_FREE_TURNS = 4
# Waits before a command is sent again: 5.5 s in all, in which the keys of a slot that moves have arrived.
PAUSES_S = (0.01, 0.02, 0.04, 0.08, 0.15, 0.2, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0)
# How many of them a cluster that is down is given: half a second. The caller waits longer, where that is right.
_DOWN_PAUSES = 6


class NodeBatch(NamedTuple):
    """The commands, by their places, that one node is sent on one connection; `asking` stands before each of them
    where a slot that is still arriving is asked for."""

    node: NodeAddress
    places: list[int]
    asking: bool = False


class Wave(NamedTuple):
    """Send these side by side. The reply: for each, its replies in order, or the TransportError that it met."""

    batches: list[NodeBatch]


class Refresh(NamedTuple):
    """Ask the nodes for their slots (see `Topology`). The reply: None, or the TransportError of the last node."""


Step: TypeAlias = Wave | Refresh | Pause
Routing: TypeAlias = Generator[Step, Any, list[Any]]


class Topology:
    """What one client knows of its cluster: the nodes it was told to begin with, the map, and who did not answer."""

    def __init__(self, seeds: Sequence[NodeAddress]) -> None:
        self.seeds = tuple(seeds)
        self.map: SlotMap | None = None
        self.stale = True
        self._silent: set[NodeAddress] = set()

    def learn(self, known: SlotMap) -> None:
        self.map, self.stale = known, False

    def follow(self, moved: Sequence[Redirection]) -> None:
        if self.map is not None and moved:
            self.map = self.map.with_moved(moved)

    def failed(self, node: NodeAddress) -> None:
        """A node did not answer: another one is asked for the map before anything else is sent."""
        self._silent.add(node)
        self.stale = True

    def answered(self, node: NodeAddress) -> None:
        self._silent.discard(node)

    def candidates(self) -> list[NodeAddress]:
        """Whom to ask for the map, those that answered last time first."""
        known = dict.fromkeys([*(self.map.masters if self.map else ()), *self.seeds])
        return sorted(known, key=lambda node: node in self._silent)


def route(topology: Topology, slots: Sequence[int | None], streams: Sequence[str] = ()) -> Routing:
    """The replies to commands with these slots, in their order; `streams` are those of posts, whose order is kept.

    Raises TransportError where there is no map at all, or where none of the nodes answered.
    """
    if topology.map is None or topology.stale:
        error = yield Refresh()
        if error is not None:
            raise error
    replies: list[Any] = [None] * len(slots)
    batches = _batches(slots, range(len(slots)), _owners(topology))
    pauses = turn = 0
    while batches:
        answers = yield Wave(batches)
        asked = _take(topology, batches, answers, replies)
        refused = _unexecuted(replies, asked, streams)
        if not refused:
            break
        turn += 1
        if turn > _FREE_TURNS or any(replies[place].code in _LATER for place in refused):
            if pauses >= _patience(replies, refused):
                _give_up(replies, refused)
                break
            yield Pause(PAUSES_S[pauses])
            pauses += 1
        batches = yield from _following(topology, slots, refused, replies, asked)
    if replies and all(isinstance(reply, ServerUnreachable) for reply in replies):
        raise replies[0]
    return replies


def _owners(topology: Topology) -> SlotMap:
    assert topology.map is not None
    return topology.map


def _batches(slots: Sequence[int | None], places: Sequence[int], owners: SlotMap) -> list[NodeBatch]:
    """One batch a node. The one with the last command is the last: that command may be one that waits."""
    by_node: dict[NodeAddress, list[int]] = {}
    master = owners.master
    for place in places:
        by_node.setdefault(master(slots[place]), []).append(place)
    batches = [NodeBatch(node, mine) for node, mine in by_node.items()]
    return sorted(batches, key=lambda batch: batch.places[-1])


def _take(
    topology: Topology, batches: Sequence[NodeBatch], answers: Sequence[Any], replies: list[Any]
) -> dict[int, NodeAddress]:
    """Puts the answers into their places; who was asked for which."""
    asked: dict[int, NodeAddress] = {}
    for batch, answer in zip(batches, answers, strict=True):
        if isinstance(answer, ServerUnreachable):
            topology.failed(batch.node)
        else:
            topology.answered(batch.node)
        outcomes = [answer] * len(batch.places) if isinstance(answer, TransportError) else answer
        for place, reply in zip(batch.places, outcomes, strict=True):
            replies[place] = reply
            if isinstance(reply, ServerRefused):
                asked[place] = batch.node
    return asked


def _unexecuted(replies: Sequence[Any], asked: dict[int, NodeAddress], streams: Sequence[str]) -> list[int]:
    """The places of what may be sent again, in order."""
    again = sorted(place for place in asked if replies[place].code in _AGAIN)
    if not again or not streams:
        return again
    landed = {stream: place for place, stream in enumerate(streams) if not isinstance(replies[place], TransportError)}
    return [place for place in again if landed.get(streams[place], -1) < place]


def _patience(replies: Sequence[Any], refused: Sequence[int]) -> int:
    return _DOWN_PAUSES if all(replies[place].code in _DOWN for place in refused) else len(PAUSES_S)


def _following(
    topology: Topology,
    slots: Sequence[int | None],
    refused: Sequence[int],
    replies: Sequence[Any],
    asked: dict[int, NodeAddress],
) -> Generator[Step, Any, list[NodeBatch]]:
    """Where to send what was refused: to a key that has left its slot, or by a map that is asked for anew."""
    redirections = [redirection(replies[place], asked[place]) for place in refused]
    moved = [way_out for way_out in redirections if way_out is not None and way_out.kind == "MOVED"]
    if moved or any(replies[place].code in _DOWN for place in refused):
        yield Refresh()
        topology.follow(moved)
    first: dict[int | None, Redirection | None] = {}
    for place, way_out in zip(refused, redirections, strict=True):
        first.setdefault(slots[place], way_out)
    leaving: dict[NodeAddress, list[int]] = {}
    staying: list[int] = []
    for place in refused:
        way = first[slots[place]]
        (leaving.setdefault(way.to, []) if way is not None and way.kind == "ASK" else staying).append(place)
    batches = [NodeBatch(node, places, asking=True) for node, places in leaving.items()]
    return sorted([*_batches(slots, staying, _owners(topology)), *batches], key=lambda batch: batch.places[-1])


def _give_up(replies: list[Any], refused: Sequence[int]) -> None:
    """A cluster that stayed down is a server that does not answer."""
    for place in refused:
        if replies[place].code in _DOWN:
            replies[place] = ServerUnreachable("the cluster", replies[place].text)
