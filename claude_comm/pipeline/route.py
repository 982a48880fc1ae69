"""The route of a message: the part of a pipeline that is still to come, as it travels in the envelope.

Law: a route says all that a module has to know to hand on what its handler returned, so that nobody else is asked: who
comes next, under which agreement, with which adapter, on which condition. It is a list of texts, one a step: the name,
and what there is to say beside it as JSON. The first is the step that the message is for, the last the collector of the
session, to which results and failures go. Every message from one step to the next has the same route, whatever it
carries. Others may have written a route: `read` returns it or raises DecodeError.

`onward` is what becomes of a result:

- it goes to each step that follows; to a step that joins others as one part of what it waits for;
- a condition that does not hold passes its step by; where several follow, it leaves out their branch, and joins on the
  way are told that this part does not come;
- a failure goes to the collector at once, and joins on the way are told, so that none waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, UNREADABLE, Envelope
from claude_comm.errors import DecodeError, InvalidName, SchemaError
from claude_comm.names import check_name
from claude_comm.pipeline import ids
from claude_comm.pipeline.ids import Carries
from claude_comm.schema.evolution.adapter import Step as AdapterStep
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json

# Types of messages that are no values for a handler.
PART_TYPE, SKIPPED_TYPE, FAILED_TYPE = "comm.part", "comm.part.skipped", "comm.part.failed"


# Before what stands beside the name of a step that splits or gathers. A release that knows no lists would hand one on
# in one piece, and leave these words out of the routes that it writes: it cannot read this, and buries the message.
_LISTS = "lists "


class RouteLoop(msgspec.Struct, frozen=True, omit_defaults=True):
    """The step to go back to while a result fits `condition`, and how often the loop may be gone through in all."""

    back: str
    most: int
    edge: int
    condition: Json = True


class Leg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a route.

    | field | |
    | --- | --- |
    | `step`, `module`, `type` | its name, the module that does it (empty: of that name), the type of its messages |
    | `agreement` | under which it is sent to; empty where none was made |
    | `adapter` | what is done to a message for it, by whoever reads it |
    | `when` | a message that does not fit this schema does not enter |
    | `after` | the steps whose results it joins, in their order; empty where it joins none |
    | `split` | what it returns is a list, and each item goes on by itself |
    | `gather` | the step that split the list whose items it joins again; empty where it joins none |
    | `next` | the steps that follow, each with the number of the edge to it |
    | `joined` | the number of the edge from a complete join to itself |
    | `carry`, `passes`, `optional`, `repeat` | see `pipeline.document`; of `passes` those that have a name |
    | `part` | of the message alone that has it: which part of a join this is |
    | `turn` | of the message alone that has it: how often the loop that it is in was begun before |
    """

    step: str
    module: str = ""
    type: str = DEFAULT_TYPE
    agreement: str = ""
    adapter: tuple[AdapterStep, ...] = ()
    when: Json = True
    after: tuple[str, ...] = ()
    split: bool = False
    gather: str = ""
    next: dict[str, int] = {}
    joined: int = 0
    carry: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    optional: bool = False
    repeat: RouteLoop | None = None
    part: int = -1
    turn: int = 0

    @property
    def target(self) -> str:
        return self.module or self.step

    @property
    def joins(self) -> bool:
        """Whether what comes to it are parts."""
        return bool(self.after or self.gather)


class _Beside(Leg, frozen=True, kw_only=True, omit_defaults=True):
    """What stands beside the name."""

    step: str = ""


class Route(msgspec.Struct, frozen=True, eq=False):
    """The steps by name, the one that the message is for first. `texts` are what the legs were read from."""

    legs: Mapping[str, Leg]
    texts: Mapping[str, str]

    @property
    def here(self) -> Leg:
        return next(iter(self.legs.values()))

    @property
    def collector(self) -> Leg:
        return next(reversed(self.legs.values()))  # type: ignore[call-overload,no-any-return]

    @property
    def is_part(self) -> bool:
        return self.here.part >= 0

    def to(self, name: str, **marks: int) -> tuple[str, ...]:
        """The route of a message to that step: what can be reached from there, and the collector."""
        return _to(self, name, tuple(sorted(marks.items())))


class Onward(msgspec.Struct, frozen=True, kw_only=True):
    """A message that follows: its step, its route, the parts of its id, and what it carries."""

    leg: Leg
    route: tuple[str, ...]
    edge: int
    turn: int
    carries: Carries

    @property
    def type(self) -> str:
        if self.carries is Carries.SKIPPED:
            return SKIPPED_TYPE
        if self.carries is Carries.FAILED:
            return FAILED_TYPE
        return PART_TYPE if self.leg.joins else self.leg.type


def write(leg: Leg) -> str:
    beside = msgspec.structs.replace(leg, step="")
    rest = msgspec.json.encode(_Beside(**msgspec.structs.asdict(beside)))
    if rest == b"{}":
        return leg.step
    return f"{leg.step} {_LISTS if leg.split or leg.gather else ''}{rest.decode()}"


@lru_cache(maxsize=2048)
def read(texts: tuple[str, ...]) -> Route:
    """Raises DecodeError."""
    legs: dict[str, Leg] = {}
    for text in texts:
        name, _, rest = text.partition(" ")
        try:
            leg = _decode(rest.removeprefix(_LISTS)) if rest else Leg(step=check_name(name, "step"))
            legs[check_name(name, "step")] = _named(leg, name)
            check_name(leg.module or name)
        except (*UNREADABLE, InvalidName) as error:
            raise DecodeError(f"its route cannot be read: {error}.") from None
    for leg in legs.values():
        if leg.next.keys() - legs.keys() or (leg.repeat is not None and leg.repeat.back not in legs):
            raise DecodeError(f"its route cannot be read: what follows {leg.step!r} is not in it.")
    if not legs:
        raise DecodeError("its route cannot be read: it is empty.")
    if len(legs) < len(texts):
        raise DecodeError("its route cannot be read: a step is in it twice.")
    try:
        TopologicalSorter({name: leg.next for name, leg in legs.items()}).prepare()
    except CycleError:
        raise DecodeError("its route cannot be read: its steps go round in a circle.") from None
    return Route(legs, dict(zip(legs, texts, strict=True)))


_decode_beside = msgspec.json.Decoder(_Beside).decode


def _decode(text: str) -> Leg:
    return _decode_beside(text)


def _named(leg: Leg, name: str) -> Leg:
    return Leg(**{**msgspec.structs.asdict(leg), "step": name})


@lru_cache(maxsize=4096)
def _to(route: Route, name: str, marks: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    reached = [name]
    for other in reached:
        leg = route.legs[other]
        ahead = [*leg.next, *([leg.repeat.back] if leg.repeat else [])]
        reached += [step for step in ahead if step not in reached]
    order = [step for step in route.legs if step in reached and step != name]
    first = msgspec.structs.replace(_clean(route.legs[name]), **dict(marks))
    return (write(first), *(write(_clean(route.legs[step])) for step in order))


def _clean(leg: Leg) -> Leg:
    """The leg without what belongs to one message."""
    return leg if leg.part < 0 and not leg.turn else msgspec.structs.replace(leg, part=-1, turn=0)


def input_of(envelope: Envelope, here: Leg) -> str:
    """What the parts that a step joins for one input have in common."""
    place = ids.read(envelope.id)
    return f"{here.step}/{place.input if place else envelope.correlation or envelope.id}/{here.turn}"


def onward(route: Route, form: Json) -> list[Onward]:
    """What follows a result, given in its JSON form. Raises DecodeError for a condition that cannot be used."""
    here = route.here
    repeat = here.repeat
    if repeat is not None and here.turn + 1 < repeat.most and _holds(repeat.condition, form):
        leg, turn = route.legs[repeat.back], here.turn + 1
        back = route.to(repeat.back, turn=turn)
        return [Onward(leg=leg, route=back, edge=repeat.edge, turn=turn, carries=Carries.VALUE)]
    turn = here.turn if here.turn and _in_loop(route, here) else 0
    return list(_past(route, here, turn, form))


def failed(route: Route) -> list[Onward]:
    """What follows a failure: the joins on the way that wait for what will not come."""
    return list(_instead(route, route.here, Carries.FAILED))


def skipped(route: Route) -> list[Onward]:
    """What follows when nothing has come to a join."""
    return list(_instead(route, route.here, Carries.SKIPPED))


def _past(route: Route, leg: Leg, turn: int, form: Json) -> Iterator[Onward]:
    """A value goes on from this step to those that follow."""
    for name, edge in leg.next.items():
        following = route.legs[name]
        if _holds(following.when, form):
            yield _message(route, leg, following, edge, turn, Carries.VALUE)
        elif len(leg.next) > 1:
            yield from _instead(route, following, Carries.SKIPPED)
        else:
            yield from _past(route, following, turn, form)


def _instead(route: Route, leg: Leg, carries: Carries) -> Iterator[Onward]:
    """No value goes on from this step: the next joins are told, on each way. Where a list would have been split there
    is no item to tell of: what follows its gathering is told."""
    leg = gathering(route, leg) if leg.split else leg
    for name, edge in leg.next.items():
        following = route.legs[name]
        is_end = following is route.collector
        if following.joins or (is_end and carries is Carries.SKIPPED):
            yield _message(route, leg, following, edge, 0, carries)
        elif not is_end:
            yield from _instead(route, following, carries)


def _message(route: Route, origin: Leg, leg: Leg, edge: int, turn: int, carries: Carries) -> Onward:
    marks = {"part": leg.after.index(origin.step) if leg.after else 0} if leg.joins else {}
    if turn:
        marks["turn"] = turn
    return Onward(leg=leg, route=route.to(leg.step, **marks), edge=edge, turn=turn, carries=carries)


def gathering(route: Route, leg: Leg) -> Leg:
    """The step that gathers what this one splits. Raises DecodeError where there is none: others may write routes."""
    for other in route.legs.values():
        if other.gather == leg.step:
            return other
    raise DecodeError(f"its route cannot be read: nothing gathers what {leg.step!r} splits.")


def _in_loop(route: Route, leg: Leg) -> bool:
    """Whether the step that goes back is still to come."""
    ahead = leg
    while ahead.repeat is None and len(ahead.next) == 1:
        ahead = route.legs[next(iter(ahead.next))]
    if ahead is leg or ahead.repeat is None:
        return False
    inside = route.legs[ahead.repeat.back]
    while inside is not leg and inside is not ahead and len(inside.next) == 1:
        inside = route.legs[next(iter(inside.next))]
    return inside is leg


def _holds(condition: Json, form: Json) -> bool:
    if condition is True or condition is False:
        return condition
    try:
        return _validator(msgspec.json.encode(condition)).accepts(form)
    except SchemaError as error:
        raise DecodeError(f"its route cannot be read: a condition cannot be used: {error}") from None


@lru_cache(maxsize=1024)
def _validator(text: bytes) -> Validator:
    return compile_validator(msgspec.json.decode(text))


def carried(leg: Leg, entered: Any, returned: Any) -> Any:
    """What a step returned, in its JSON form, with what is carried past it."""
    if not leg.carry or not isinstance(entered, dict) or not isinstance(returned, dict):
        return returned
    return {**{name: entered[name] for name in leg.carry if name in entered}, **returned}


def not_passed(leg: Leg, entered: Any, returned: Any) -> str:
    """The first property that a step was to hand on unchanged, and did not; empty where it kept its word."""
    if not leg.passes or not isinstance(entered, dict):
        return ""
    given = returned if isinstance(returned, dict) else {}
    return next((name for name in leg.passes if name in entered and given.get(name, _ABSENT) != entered[name]), "")


_ABSENT = object()
