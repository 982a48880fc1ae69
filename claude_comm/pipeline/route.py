"""The route of a message: the part of a pipeline that is still to come, as it travels in the envelope.

Law: a route says all that a module has to know to hand on what its handler returned, so that nobody else is asked: who
comes next, under which agreement, with which adapter, on which condition. It is a list of texts, one a step: the name,
and what there is to say beside it as JSON. The first is the step that the message is for, the last the collector of the
session, to which results and failures go. Every message from one step to the next has the same route, whatever it
carries. Others may have written a route: `read` returns it or raises DecodeError. `pipeline.onward` says what follows a
result.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, UNREADABLE, Envelope
from claude_comm.errors import DecodeError, InvalidName
from claude_comm.names import check_name
from claude_comm.pipeline import ids
from claude_comm.schema.evolution.adapter import Step as AdapterStep
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


def gathering(route: Route, leg: Leg) -> Leg:
    """The step that gathers what this one splits. Raises DecodeError where there is none: others may write routes."""
    for other in route.legs.values():
        if other.gather == leg.step:
            return other
    raise DecodeError(f"its route cannot be read: nothing gathers what {leg.step!r} splits.")
