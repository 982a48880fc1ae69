"""The map of a system: modules and topics, and who sends what to whom, with what is known of each way.

Law: pure. A way is never better than what its current agreements say: the worst of the versions that messages may come
from counts, and an agreement with a version that is not meant any more is none, unless that version accepted the same.
What is declared and was not negotiated is undecided (`NOT_YET`); whoever has the contracts at hand may prove it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.names import TOPIC_PREFIX
from claude_comm.negotiation.pairs import Pair, RecordedOutcome
from claude_comm.registry.releases import Release

State: TypeAlias = Literal["broken", "undecided", "adapted", "proved"]
# The worst first.
STATES: tuple[State, ...] = ("broken", "undecided", "adapted", "proved")
Kind: TypeAlias = Literal["module", "topic", "unknown"]
_STATE_OF: dict[str, State] = {
    "compatible": "proved",
    "adapted": "adapted",
    "incompatible": "broken",
    "impossible": "broken",
}


class RegisteredModule(msgspec.Struct, frozen=True):
    """A module as the registry has it: its releases that messages may be meant for, the preferred one first, all of
    its releases, and how many instances are `up`, `late` and `gone`."""

    name: str
    offered: Sequence[Release]
    releases: Sequence[Release]
    instances: Mapping[str, int] = {}


class MapNode(msgspec.Struct, frozen=True, omit_defaults=True):
    """A module, a topic, or a name that somebody sends to and nobody has registered."""

    name: str
    kind: Kind
    versions: tuple[str, ...] = ()
    instances: dict[str, int] = {}


class Edge(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One type of message from one to another; `why` says why it is undecided."""

    source: str
    target: str
    type: str
    state: State
    why: str = ""
    agreement: str = ""
    producer_version: str = ""
    consumer_version: str = ""


class ModuleMap(msgspec.Struct, frozen=True):
    """The whole map, by name."""

    nodes: list[MapNode]
    edges: list[Edge]

    def count(self, state: State) -> int:
        return sum(edge.state == state for edge in self.edges)

    @property
    def sentence(self) -> str:
        states = ", ".join(f"{self.count(state):,} {state}" for state in reversed(STATES) if self.count(state))
        return f"{len(self.nodes):,} modules and topics, {len(self.edges):,} ways: {states or 'none'}"


def worst(states: Iterable[State]) -> State:
    given = set(states)
    for state in STATES:
        if state in given:
            return state
    return "undecided"


def graph(modules: Sequence[RegisteredModule], pairs: Sequence[Pair]) -> ModuleMap:
    """The map of these modules and what was negotiated between them."""
    by_name = {module.name: module for module in modules}
    by_way = {(pair.producer, pair.consumer, pair.type): pair for pair in pairs if pair.producer != pair.consumer}
    through = _through_topics(by_name, by_way)
    edges = [_agreed(pair, by_name) for way, pair in by_way.items() if way not in through or _is_direct(way, by_name)]
    edges += _of_topics(by_name, by_way, through)
    known = {(edge.source, edge.target, edge.type) for edge in edges}
    edges += [edge for edge in _declared(by_name) if (edge.source, edge.target, edge.type) not in known]
    edges.sort(key=lambda edge: (edge.source, edge.target, edge.type))
    return ModuleMap(_nodes_of(by_name, edges), edges)


def around(whole: ModuleMap, name: str) -> ModuleMap:
    """The part of the map next to one module or topic."""
    edges = [edge for edge in whole.edges if name in (edge.source, edge.target)]
    near = {name, *(edge.source for edge in edges), *(edge.target for edge in edges)}
    return ModuleMap([node for node in whole.nodes if node.name in near], edges)


_Way: TypeAlias = tuple[str, str, str]


def _through_topics(by_name: Mapping[str, RegisteredModule], by_way: Mapping[_Way, Pair]) -> dict[_Way, str]:
    """Agreements with readers of a topic that a producer sends to, each with the topic."""
    readers: dict[str, list[str]] = {}
    for module in by_name.values():
        for topic in _topics(module):
            readers.setdefault(topic, []).append(module.name)
    return {
        (producer, reader, type): topic
        for producer, topic, type in by_way
        for reader in readers.get(topic, ())
        if (producer, reader, type) in by_way
    }


def _topics(module: RegisteredModule) -> list[str]:
    return list(dict.fromkeys(f"{TOPIC_PREFIX}{topic}" for release in module.offered for topic in release.topics))


def _is_direct(way: _Way, by_name: Mapping[str, RegisteredModule]) -> bool:
    """Whether the producer declares to send that to the module itself, not by way of a topic alone."""
    producer, consumer, type = way
    module = by_name.get(producer)
    return module is not None and any(
        sent.target == consumer and sent.type == type for release in module.offered for sent in release.produces
    )


def _agreed(pair: Pair, by_name: Mapping[str, RegisteredModule]) -> Edge:
    producer = by_name.get(pair.producer)
    offered = {release.digest for release in producer.offered} if producer else set()
    turns = [turn for turn in pair.current if not turn.producer_digest or turn.producer_digest in offered]
    judged = [(turn, *_of_turn(turn, pair, by_name)) for turn in turns or pair.current[-1:]]
    if not judged:
        return Edge(source=pair.producer, target=pair.consumer, type=pair.type, state="undecided", why=NOT_YET)
    turn, state, why = min(judged, key=lambda one: STATES.index(one[1]))
    return Edge(
        source=pair.producer,
        target=pair.consumer,
        type=pair.type,
        state=state,
        why=why,
        agreement=turn.agreement,
        producer_version=turn.producer_version,
        consumer_version=turn.consumer_version,
    )


NOT_YET = "declared, and not negotiated yet"


def _of_turn(turn: RecordedOutcome, pair: Pair, by_name: Mapping[str, RegisteredModule]) -> tuple[State, str]:
    state = _STATE_OF.get(turn.answer, "undecided")
    if pair.consumer.startswith(TOPIC_PREFIX) or not turn.consumer_digest:
        return state, "it could not be decided" if state == "undecided" else ""
    consumer = by_name.get(pair.consumer)
    if consumer is None:
        return "undecided", f"{pair.consumer} is not registered any more"
    if not _is_meant(turn, pair.type, consumer):
        now = ", ".join(release.version for release in consumer.offered) or "no version"
        return "undecided", f"agreed with {turn.consumer_version}, and {now} is there now"
    return state, "it could not be decided" if state == "undecided" else ""


def _is_meant(turn: RecordedOutcome, type: str, consumer: RegisteredModule) -> bool:
    """Whether a version that is offered is the one that was agreed with, or accepts the type as that did."""
    if any(release.digest == turn.consumer_digest for release in consumer.offered):
        return True
    before = next((release for release in consumer.releases if release.digest == turn.consumer_digest), None)
    accepted = before.accepts.get(type) if before is not None else None
    return accepted is not None and any(release.accepts.get(type) == accepted for release in consumer.offered)


def _of_topics(
    by_name: Mapping[str, RegisteredModule], by_way: Mapping[_Way, Pair], through: Mapping[_Way, str]
) -> Iterator[Edge]:
    """From topics to those who read them: the worst of what was agreed with each who publishes."""
    arriving: dict[tuple[str, str], list[Edge]] = {}
    for way, topic in through.items():
        arriving.setdefault((topic, way[1]), []).append(_agreed(by_way[way], by_name))
    for module in by_name.values():
        for topic in _topics(module):
            edges = arriving.get((topic, module.name))
            if not edges:
                why = "nobody has agreed on what is published"
                yield Edge(source=topic, target=module.name, type="*", state="undecided", why=why)
            for type in sorted({edge.type for edge in edges or ()}):
                state = worst(edge.state for edge in edges or () if edge.type == type)
                why = next((edge.why for edge in edges or () if edge.state == state and edge.why), "")
                yield Edge(source=topic, target=module.name, type=type, state=state, why=why)


def _declared(by_name: Mapping[str, RegisteredModule]) -> Iterator[Edge]:
    """What the preferred releases declare to send, and to whom."""
    for module in by_name.values():
        seen: set[tuple[str, str]] = set()
        for release in module.offered[:1]:
            for sent in release.produces:
                if sent.target and (sent.target, sent.type) not in seen:
                    seen.add((sent.target, sent.type))
                    known = sent.target.startswith(TOPIC_PREFIX) or sent.target in by_name
                    why = NOT_YET if known else f"{sent.target} is not registered"
                    yield Edge(source=module.name, target=sent.target, type=sent.type, state="undecided", why=why)


def _nodes_of(by_name: Mapping[str, RegisteredModule], edges: Sequence[Edge]) -> list[MapNode]:
    names = {*by_name, *(edge.source for edge in edges), *(edge.target for edge in edges)}
    return [_node(name, by_name.get(name)) for name in sorted(names)]


def _node(name: str, module: RegisteredModule | None) -> MapNode:
    if module is None:
        return MapNode(name, "topic" if name.startswith(TOPIC_PREFIX) else "unknown")
    instances = {state: count for state, count in module.instances.items() if count}
    return MapNode(name, "module", tuple(release.version for release in module.offered), instances)
