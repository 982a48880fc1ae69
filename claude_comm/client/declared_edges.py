"""Ways on the map that are declared and that nobody has negotiated: proved here, as far as the time goes.

Law: nothing is stored: the first message negotiates. A question with the same two schemas is weighed once, and what the
time does not reach stays undecided.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.graph.edges import NOT_YET, Edge, ModuleMap, State
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Answer, Question, why
from claude_comm.negotiation.weigh import weigh
from claude_comm.ops import registry
from claude_comm.ops.graph import SystemMap
from claude_comm.registry.contracts import Contract
from claude_comm.registry.releases import Release
from claude_comm.schema.verdict import Impossible, Incompatible, passes
from claude_comm.transport.driver import Client

# Ways whose contracts are read: more than are proved in half a second.
_MOST = 300
_PROVED = "proved here, and not negotiated yet"


def proved(client: Client, keys: Keys, known: SystemMap, within_s: float) -> ModuleMap:
    """The map with what could be proved within that time."""
    open_ = [edge for edge in known.graph.edges if edge.why == NOT_YET and edge.target in known.modules][:_MOST]
    if not open_ or within_s <= 0:
        return known.graph
    contracts = client.run(registry.contracts_of(keys, sorted(_wanted(open_, known))))
    weighed: dict[bytes, Answer | None] = {}
    ends_s = time.monotonic() + within_s
    decided: dict[tuple[str, str, str], Edge] = {}
    for edge in open_:
        if time.monotonic() > ends_s:
            break
        decided[edge.source, edge.target, edge.type] = _decided(edge, known, contracts, weighed)
    edges = [decided.get((edge.source, edge.target, edge.type), edge) for edge in known.graph.edges]
    return msgspec.structs.replace(known.graph, edges=edges)


def _wanted(edges: list[Edge], known: SystemMap) -> set[tuple[str, str]]:
    """The contracts of both sides, by module and digest."""
    return {
        (name, release.digest)
        for edge in edges
        for name in (edge.source, edge.target)
        for release in known.modules[name].offered
    }


def _decided(
    edge: Edge, known: SystemMap, contracts: Mapping[str, Contract], weighed: dict[bytes, Answer | None]
) -> Edge:
    """By the first version of the consumer that fits, as a negotiation goes; else by the preferred one."""
    (ours, *_) = known.modules[edge.source].offered
    found = [
        (release, answer)
        for release, question in _questions(edge, ours, known, contracts)
        if (answer := _weighed(question, weighed)) is not None
    ]
    if not found:
        return edge
    release, answer = next((pair for pair in found if passes(pair[1].verdict)), found[0])
    state = _state(answer)
    return msgspec.structs.replace(
        edge,
        state=state,
        why=_PROVED if state in ("proved", "adapted") else why(answer.verdict),
        producer_version=ours.version,
        consumer_version=release.version,
    )


def _questions(
    edge: Edge, ours: Release, known: SystemMap, contracts: Mapping[str, Contract]
) -> Iterator[tuple[Release, Question]]:
    sender = contracts.get(ours.digest)
    produced = sender.sends(edge.target, edge.type) if sender else None
    for release in known.modules[edge.target].offered:
        theirs = contracts.get(release.digest)
        if produced is None or theirs is None:
            continue
        # What no contract names is accepted by nobody: `False` says so, with a witness.
        yield (
            release,
            Question(
                producer=edge.source,
                consumer=edge.target,
                type=edge.type,
                produced=produced,
                accepted=theirs.accepts.get(edge.type, False),
                aliases=theirs.aliases.get(edge.type, {}),
            ),
        )


def _weighed(question: Question, weighed: dict[bytes, Answer | None]) -> Answer | None:
    """None for schemas that cannot be used."""
    key = msgspec.json.encode((question.produced, question.accepted, question.aliases), order="deterministic")
    if key not in weighed:
        try:
            weighed[key] = weigh(question)
        except SchemaError:
            weighed[key] = None
    return weighed[key]


def _state(answer: Answer) -> State:
    if passes(answer.verdict):
        return "adapted" if answer.adapter is not None else "proved"
    return "broken" if isinstance(answer.verdict, Incompatible | Impossible) else "undecided"
