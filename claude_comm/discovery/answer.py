"""Answering a query from a catalogue: which releases fit, which do not, and of which it cannot be told.

Law: an answer is a proof or a validation by the schema engine. What the index or a necessary condition leaves out is
refused for certain, so that the answers are those of looking at every contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from claude_comm.discovery.catalogue import Catalogue, SchemaEntry, entries
from claude_comm.discovery.query import Answer, Candidates, Direction, Partner, Query, Way
from claude_comm.discovery.renaming import may_lack
from claude_comm.discovery.sketch import KINDS
from claude_comm.errors import SchemaError
from claude_comm.names import TOPIC_PREFIX
from claude_comm.registry.contracts import Contract
from claude_comm.schema.bounded import check
from claude_comm.schema.containment.confirm import accepts as confirmed
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.verdict import Json, Policy, Undecided, passes

# The ways of releases by their digest.
_Ways = dict[str, list[Way]]


def answer(catalogue: Catalogue, query: Query, instances: Mapping[str, int]) -> Candidates:
    """The releases that fit; `instances` are those to look at, by digest, with how many instances of each live."""
    named = {digest: catalogue.contracts[digest] for digest in instances if digest in catalogue.contracts}
    named = {digest: contract for digest, contract in named.items() if _named(contract, query)}
    parts = list(_parts(catalogue, query, named))
    found: list[Partner] = []
    undecided: list[Partner] = []
    for digest, contract in sorted(named.items(), key=lambda item: (item[1].module, item[0])):
        ways = [part.get(digest, []) for part in parts]
        if all(ways):
            partner = _partner(digest, contract, instances[digest], [way for part in ways for way in part])
            sure = all(any(way.answer == "yes" for way in part) for part in ways)
            (found if sure else undecided).append(partner)
    return Candidates(found, undecided)


def _named(contract: Contract, query: Query) -> bool:
    if query.name and not fnmatchcase(contract.module, query.name):
        return False
    if query.capability and query.capability not in contract.capabilities:
        return False
    return not query.type or query.type in contract.accepts or any(p.type == query.type for p in contract.produces)


def _parts(catalogue: Catalogue, query: Query, named: Mapping[str, Contract]) -> Iterator[_Ways]:
    """For each part of the query that schemas answer, the ways of the releases that it does not exclude."""
    if query.accepts is not msgspec.UNSET:
        yield _ways_of_message(catalogue, query, named, "accepts", query.accepts)
    if query.produces is not msgspec.UNSET:
        yield _ways_of_message(catalogue, query, named, "produces", query.produces)
    if query.fits is not None:
        yield {digest: list(_fitting(query.fits, catalogue.of(digest), query)) for digest in named}


def _ways_of_message(
    catalogue: Catalogue, query: Query, named: Mapping[str, Contract], direction: Direction, message: Json
) -> _Ways:
    ways: _Ways = {}
    digests = {id(contract): digest for digest, contract in named.items()}
    for entry in catalogue.candidates(direction, message):
        digest = digests.get(id(entry.contract))
        if digest is None or (query.type and entry.type != query.type):
            continue
        way = _allowed(entry, message, closed=direction == "produces" and query.policy == "closed-producer")
        if way is not None:
            ways.setdefault(digest, []).append(way)
    return ways


def _allowed(entry: SchemaEntry, message: Json, *, closed: bool) -> Way | None:
    """Whether the schema allows the message; None where it refuses it. With `closed` its declared properties alone are
    sent."""
    try:
        allowed = _sent(entry, message) if closed else entry.validator().accepts(message)
    except SchemaError as error:
        return Way(entry.direction, entry.type, "undecided", f"its schema cannot be used: {error}")
    if allowed is None:
        return Way(entry.direction, entry.type, "undecided", "the message and the schema are too large together")
    if not allowed:
        return None
    code = entry.code()
    if code is not None:
        return Way(entry.direction, entry.type, "undecided", f"its schema leaves a part to code: {code.reason}")
    return Way(entry.direction, entry.type, "yes")


def _sent(entry: SchemaEntry, message: Json) -> bool | None:
    if not entry.validator().accepts(message):
        return False
    return confirmed(side_of(entry.schema, DEFAULT, _no_look).closed, message, _no_look)


def _no_look() -> None:
    """A message has no budget: the engine estimates what it costs before it looks."""


def _fitting(contract: Contract, theirs: Iterable[SchemaEntry], query: Query) -> Iterator[Way]:
    """The ways between a contract and a registered one, of messages of one type."""
    ours = list(entries(contract))
    for entry in theirs:
        for own in ours:
            if own.direction == entry.direction or own.type != entry.type or (query.type and own.type != query.type):
                continue
            sent, taken = (own, entry) if own.direction == "produces" else (entry, own)
            if _reaches(sent, taken.contract) and (way := _proved(sent, taken, query, entry.direction)) is not None:
                yield way


def _reaches(sent: SchemaEntry, reader: Contract) -> bool:
    """Whether what is sent may arrive there at all: a declared target is the module, or a topic that it reads."""
    if not sent.target:
        return True
    topic = sent.target.removeprefix(TOPIC_PREFIX)
    return topic in reader.topics if sent.target.startswith(TOPIC_PREFIX) else sent.target == reader.module


def _proved(sent: SchemaEntry, taken: SchemaEntry, query: Query, direction: Direction) -> Way | None:
    """The way, where it is proved that every message is accepted, or where that cannot be told."""
    if not sent.sketch.kinds & taken.sketch.kinds or may_lack(sent.schema, sent.sketch, taken.sketch.required):
        return None
    if _clash(sent, taken):
        return None
    return _weighed(sent.schema, taken.schema, query.policy, query.budget_ms, direction, sent.type)


def _clash(sent: SchemaEntry, taken: SchemaEntry) -> bool:
    """Whether a property that every message has is of a kind there that is refused here."""
    if sent.sketch.kinds != {"object"}:
        return False
    sends, takes = sent.property_kinds(), taken.property_kinds()
    return any(not sends.get(name, KINDS) & takes.get(name, KINDS) for name in sent.sketch.required)


def _weighed(sent: Json, taken: Json, policy: Policy, budget_ms: float, direction: Direction, type: str) -> Way | None:
    why: str
    reply: Answer
    try:
        verdict = check(sent, taken, policy=policy, budget_ms=budget_ms)
    except SchemaError as error:
        return Way(direction, type, "undecided", f"a schema cannot be used: {error}")
    if isinstance(verdict, Undecided):
        reply, why = "undecided", verdict.why
    elif passes(verdict):
        reply, why = "yes", ""
    else:
        return None
    return Way(direction, type, reply, why)


def _partner(digest: str, contract: Contract, instances: int, ways: list[Way]) -> Partner:
    return Partner(
        module=contract.module,
        version=contract.version,
        digest=digest,
        instances=instances,
        capabilities=contract.capabilities,
        description=contract.description,
        ways=ways,
    )
