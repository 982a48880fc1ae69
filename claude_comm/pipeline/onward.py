"""What follows a step's result on the route of its message.

Law: pure, and total over routes that `pipeline.route` has read.

- it goes to each step that follows; to a step that joins others as one part of what it waits for;
- a condition that does not hold passes its step by; where several follow, it leaves out their branch, and joins on the
  way are told that this part does not come;
- a failure goes to the collector at once, and joins on the way are told, so that none waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from claude_comm.errors import DecodeError, SchemaError
from claude_comm.pipeline.ids import Carries
from claude_comm.pipeline.route import FAILED_TYPE, PART_TYPE, SKIPPED_TYPE, Leg, Route, gathering
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json


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


def what_follows(route: Route, form: Json) -> list[Onward]:
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
