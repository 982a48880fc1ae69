"""What a new contract of a module means for the messages that are on their way through pipelines.

Law: pure. For each message the rest of its route is looked at, and what is there decides:

- at the module itself, the message as it is: it fits, or it breaks, by name;
- before it, whatever may still come to the module: what the pinned agreements say that it is given, against what it
  would accept;
- after it, what it would return, against what the pinned agreements say that the next steps accept.

A message is safe when all of that is proved. It is never called so because nothing was found: where no agreement says
what comes, it is undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import EnvelopeError, SchemaError
from claude_comm.json_form import json_form
from claude_comm.pipeline import ids, route, shapes
from claude_comm.pipeline.route import PART_TYPE, Leg, Route
from claude_comm.pipeline.weighing import Ask, weigh
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Compatible, Incompatible, Verdict, passes

Status: TypeAlias = Literal["safe", "breaks", "may break", "undecided"]
# The worst first.
_ORDER: tuple[Status, ...] = ("breaks", "may break", "undecided", "safe")
# How many ids a sentence names.
_NAMED = 5


class Pinned(msgspec.Struct, frozen=True):
    """What an agreement says: what is sent under it, after its adapter, and what was accepted then."""

    produced: Schema
    accepted: Schema


class EndangeredMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message that is not safe: which input of which session it is, at which step that shows, and why. `path` is
    where in its payload."""

    status: Status
    session: str
    input: int
    message: str
    step: str
    why: str
    path: str = ""


class RemainingRoutes(msgspec.Struct, frozen=True, kw_only=True):
    """The messages on their way, the worst findings first."""

    module: str
    messages: int
    sessions: int
    safe: int
    findings: list[EndangeredMessage]

    @property
    def passes(self) -> bool:
        """Whether a gate lets the contract through."""
        return not self.findings

    @property
    def sentence(self) -> str:
        """`3,412 in flight: 3,410 safe, 2 would break: ID, ID`."""
        parts = [f"{self.messages:,} in flight: {self.safe:,} safe"]
        for status, words in (("breaks", "would break"), ("may break", "may break"), ("undecided", "undecided")):
            found = [finding.message for finding in self.findings if finding.status == status]
            if found:
                named = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
                parts.append(f"{len(found):,} {words}: {named}")
        return ", ".join(parts)


def in_flight(messages: Iterable[Envelope], new: Contract, pinned: Mapping[str, Pinned], ask: Ask) -> RemainingRoutes:
    """What becomes of these messages when `new` takes the place of its module's contract; `pinned` are the agreements
    that their routes name, by id."""
    prover = _Prover(new, pinned, ask)
    findings: list[EndangeredMessage] = []
    sessions: set[str] = set()
    count = 0
    for envelope in messages:
        worst = prover.worst(envelope)
        if worst is None:
            continue
        count += 1
        sessions.add(envelope.session)
        if worst.status != "safe":
            findings.append(worst)
    findings.sort(key=lambda finding: (_ORDER.index(finding.status), finding.session, finding.input))
    return RemainingRoutes(
        module=new.module,
        messages=count,
        sessions=len(sessions),
        safe=count - len(findings),
        findings=findings,
    )


def whole_route(
    way: Route, door: Mapping[str, Schema], new: Contract, pinned: Mapping[str, Pinned], ask: Ask
) -> list[Outlook]:
    """What is to be expected of every step of a pipeline that has to do with the module; `door` are the schemas that
    inputs were held to before they were sent to the first steps."""
    agreed = {f"door/{step}": Pinned(schema, schema) for step, schema in door.items()}
    legs = {
        name: msgspec.structs.replace(leg, agreement=f"door/{name}") if name in door and not leg.agreement else leg
        for name, leg in way.legs.items()
    }
    prover = _Prover(new, {**agreed, **pinned}, ask)
    return list(prover.expected(Route(legs, way.texts), from_start=True))


class Outlook(msgspec.Struct, frozen=True):
    """What is to be expected of one step."""

    status: Status
    step: str
    why: str = ""
    path: str = ""


class _Prover:
    """Asks each question once: all messages from one step to the next have the same route."""

    def __init__(self, new: Contract, pinned: Mapping[str, Pinned], ask: Ask) -> None:
        self._new, self._pinned, self._ask = new, pinned, ask
        self._ahead: dict[tuple[str, ...], list[Outlook]] = {}
        self._validators: dict[str, Validator] = {}

    def worst(self, envelope: Envelope) -> EndangeredMessage | None:
        """None for a message that does not come to the module any more."""
        try:
            way = route.read(envelope.route)
        except EnvelopeError:
            return None
        outlooks = [*self._of_itself(envelope, way), *self._of_route(envelope.route, way)]
        if not outlooks:
            return None
        worst = min(outlooks, key=lambda outlook: _ORDER.index(outlook.status))
        place = ids.read(envelope.id)
        return EndangeredMessage(
            status=worst.status,
            session=envelope.session,
            input=place.input if place else -1,
            message=envelope.id,
            step=worst.step,
            why=worst.why,
            path=worst.path,
        )

    def _of_itself(self, envelope: Envelope, way: Route) -> Iterator[Outlook]:
        """The message as it lies before the module."""
        here = way.here
        if here.target != self._new.module or envelope.type == PART_TYPE or here.part >= 0:
            return
        schema = self._new.accepts.get(here.type)
        if schema is None:
            yield self._refused(here)
            return
        try:
            form = apply(Adapter(here.adapter), json_form(envelope.payload()))
        except EnvelopeError as error:
            yield Outlook("breaks", here.step, str(error), "$")
            return
        for breach in self._validator(here.type, schema).validate(form)[:1]:
            yield Outlook("breaks", here.step, breach.sentence, breach.path)
            return
        yield Outlook("safe", here.step)

    def _of_route(self, texts: tuple[str, ...], way: Route) -> Sequence[Outlook]:
        if texts not in self._ahead:
            self._ahead[texts] = list(self.expected(way))
        return self._ahead[texts]

    def expected(self, way: Route, *, from_start: bool = False) -> Iterator[Outlook]:
        """What may still come to the module, and what comes from it; with `from_start` to the first step as well."""
        here = way.here
        for leg in way.legs.values():
            if leg.target != self._new.module or leg is way.collector:
                continue
            comes = (
                from_start
                or leg is not here
                or here.part >= 0
                or (leg.repeat is not None and leg.repeat.back == leg.step)
            )
            if comes:
                yield self._entering(leg)
            for name in leg.next:
                yield from self._leaving(way, leg, way.legs[name])
            if leg.repeat is not None:
                yield from self._leaving(way, leg, way.legs[leg.repeat.back])

    def _entering(self, leg: Leg) -> Outlook:
        """What may still come to a step of the module."""
        schema = self._new.accepts.get(leg.type)
        if schema is None:
            return self._refused(leg)
        agreed = self._pinned.get(leg.agreement)
        if agreed is None:
            return Outlook("undecided", leg.step, f"no agreement says what comes to the step {leg.step!r}.")
        # What reaches the module is what came out of the adapter, which was closed before it.
        policy = "strict" if leg.adapter else self._ask.policy
        return self._outlook(leg, agreed.produced, schema, msgspec.structs.replace(self._ask, policy=policy))

    def _leaving(self, way: Route, leg: Leg, following: Leg) -> Iterator[Outlook]:
        """What the module would return, for a step after it."""
        if following is way.collector:
            return
        agreed = self._pinned.get(following.agreement)
        if agreed is None:
            return  # nothing was promised to that step before, either
        returned = self._new.replies.get(leg.type)
        if returned is None:
            why = f"the contract does not say what is returned to the step {following.step!r} any more."
            yield Outlook("undecided", following.step, why)
            return
        if leg.split:
            yield self._outlook(following, returned, {"type": "array"}, self._ask)
            returned = shapes.items(returned)
        if following.joins:
            whole = shapes.part_of(agreed.accepted, leg.step) if following.after else shapes.items(agreed.accepted)
            if whole is not True:
                yield self._outlook(following, returned, whole, self._ask)
            return
        entered = self._pinned.get(leg.agreement)
        if leg.carry and entered is not None:
            returned = shapes.with_fields(returned, entered.produced, leg.carry)
        adapter = Adapter(following.adapter) if following.adapter else None
        try:
            produced = shapes.narrowed(returned, following.when)
        except shapes.Mixed as error:
            yield Outlook("undecided", following.step, str(error))
            return
        yield self._outlook(following, produced, agreed.accepted, self._ask, adapter)

    def _outlook(
        self, leg: Leg, produced: Schema, accepted: Schema, ask: Ask, adapter: Adapter | None = None
    ) -> Outlook:
        try:
            _, verdict = weigh(produced, accepted, ask, adapter)
        except SchemaError as error:
            return Outlook("undecided", leg.step, str(error))
        if passes(verdict):
            return Outlook("safe", leg.step)
        return Outlook(_status(verdict), leg.step, _why(verdict))

    def _refused(self, leg: Leg) -> Outlook:
        known = ", ".join(map(repr, sorted(self._new.accepts))) or "nothing"
        return Outlook("breaks", leg.step, f"the contract accepts {known}, and no {leg.type!r} messages.")

    def _validator(self, type_: str, schema: Schema) -> Validator:
        if type_ not in self._validators:
            self._validators[type_] = compile_validator(schema)
        return self._validators[type_]


def _status(verdict: Verdict) -> Status:
    return "may break" if isinstance(verdict, Incompatible) else "undecided"


def _why(verdict: Verdict) -> str:
    if isinstance(verdict, Incompatible):
        witness = msgspec.json.encode(verdict.witness).decode(errors="replace")
        return f"for example {witness if len(witness) <= 200 else witness[:197] + '...'} would be refused."
    return verdict.vacuous if isinstance(verdict, Compatible) else verdict.why
