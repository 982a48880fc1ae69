"""Weighing the traffic of some days by its shapes, without a look at the messages.

Law: sound. A shape is clear when it is proved that whatever has it is accepted; what is not clear is handed back, to be
replayed. That an example is refused shows that such messages are there; that it is accepted shows nothing of the
others.

Theory of operation. A shape whose example is refused needs no proof: it is open. Of the others, one proof about all
shapes of a flow together costs about as much as one about a single shape, and mostly it succeeds. Where it fails the
shapes are halved, so that a few that do not fit are found in a few proofs.

A shape that stays open is mostly so for a few values. Its blocks are narrowed down by what the proof fails on: the
witness is a payload that may be there and would be refused, and the blocks whose own bounds allow it are suspected.
Without them the proof is tried again, until it succeeds. Ten outliers among a thousand blocks take two or three proofs:

    all blocks      price 1 to 5,000    refused: 1,000.5    two blocks reach that far: suspected
    without these   price 1 to 900      proved
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from operator import not_
from typing import TypeAlias

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.impact import observed
from claude_comm.impact.blocks import Block
from claude_comm.impact.observed import PathFacts
from claude_comm.impact.shape_schema import schema_of
from claude_comm.impact.shapes import Shape
from claude_comm.registry.contracts import Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.evolution.image import image
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.phrases import place
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Compatible, Incompatible, Json, Undecided, Verdict, contained

# Of one proof about shapes. What takes longer is replayed, which is sure.
_BUDGET_MS = 100
# Witnesses that are followed; what then is not proved is looked at, whole.
_MAX_WITNESSES = 12
_UNREADABLE = Undecided(place="", why="some payloads could not be read.")
# What would mean something else if the schema stood inside of another one: references but to its definitions.
_BY_PLACE = re.compile(r'"\$(?:ref":"(?!#/\$defs/)|dynamicRef|recursiveRef|id|anchor|dynamicAnchor)')


_Place: TypeAlias = tuple[str | int, ...]


class Weighed(msgspec.Struct, frozen=True):
    """The shapes of a flow: those of which every message is accepted, and those of which it is not proved."""

    clear: list[Shape]
    open: list[Shape]


def weigh(shapes: Sequence[Shape], accepted: Schema | None, adapter: Adapter | None = None) -> Weighed:
    """None is accepted of a type that a contract does not have."""
    if accepted is None:
        return Weighed([], list(shapes))
    clear: list[Shape] = []
    refused = _refused(shapes, accepted, adapter)
    open = [shape for shape in shapes if shape.example_id in refused]
    _sort(
        [shape for shape in shapes if shape.example_id not in refused],
        lambda some: _fits(some, accepted, adapter),
        clear,
        open,
    )
    return Weighed(clear, open)


def _refused(shapes: Sequence[Shape], accepted: Schema, adapter: Adapter | None) -> set[str]:
    """The ids of the examples that show that such messages are not accepted."""
    try:
        accepts = compile_validator(accepted).accepts
    except SchemaError:
        return set()
    return {
        shape.example_id
        for shape in shapes
        if shape.is_whole and not accepts(apply(adapter, shape.example) if adapter else shape.example)
    }


def _sort(shapes: list[Shape], fits: Callable[[Sequence[Shape]], bool], clear: list[Shape], open: list[Shape]) -> None:
    if not shapes:
        return
    if fits(shapes):
        clear += shapes
    elif len(shapes) == 1:
        open += shapes
    else:
        half = len(shapes) // 2
        _sort(shapes[:half], fits, clear, open)
        _sort(shapes[half:], fits, clear, open)


def suspects(
    blocks: Sequence[Block],
    accepted: Schema | None,
    adapter: Adapter | None = None,
    whole: PathFacts | None = None,
) -> list[Block]:
    """The blocks of one shape that may hold messages which are not accepted; all messages of the others are. `whole`
    describes all of them, where that is known."""
    if accepted is None:
        return list(blocks)
    suspected: list[Block] = []
    left = list(blocks)
    for _ in range(_MAX_WITNESSES):
        known, whole = whole, None
        verdict = _verdict(known or observed.merged(block.facts for block in left), accepted, adapter)
        if contained(verdict):
            return suspected
        # Of what was adapted the witness does not have the form of what was observed.
        if adapter is not None or not isinstance(verdict, Incompatible):
            break
        path, value = _refused_at(verdict.witness, accepted)
        may_hold = [_may_hold(block.facts, path, value) for block in left]
        suspected += compress(left, may_hold)
        left = list(compress(left, map(not_, may_hold)))
        # It may be one of messages that are in no block any more, and else is put together from several.
        if not left or not (any(may_hold) or known):
            break
    return suspected + left


def _refused_at(witness: Json, accepted: Schema) -> tuple[_Place, Json]:
    """What of the witness is refused: where, and the value there. The rest of it is any that the facts allow, and there
    may be no payload with just that."""
    breach = compile_validator(accepted).first(witness)
    for path, value in _places(witness):
        if breach is not None and place(path) == breach.path:
            return path, value
    return (), witness


def _places(value: Json, at: _Place = ()) -> Iterator[tuple[_Place, Json]]:
    yield at, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        yield from _places(below, (*at, step))


def _may_hold(facts: PathFacts, path: _Place, value: Json) -> bool:
    return any(observed.describes(inner, value) for inner in observed.at(facts, path))


def none_fits(facts: PathFacts, accepted: Schema | None, adapter: Adapter | None = None) -> bool:
    """Whether it is proved that no payload that these facts describe is accepted."""
    if accepted is None:
        return True
    if not isinstance(accepted, dict):
        return accepted is False
    if _BY_PLACE.search(msgspec.json.encode(accepted).decode()):
        return False
    whole: dict[str, Json] = {name: accepted[name] for name in ("$schema", "$defs") if name in accepted}
    part = {name: value for name, value in accepted.items() if name not in whole}
    return contained(_verdict(facts, {**whole, "not": part}, adapter))


def all_fit(facts: PathFacts, accepted: Schema | None, adapter: Adapter | None = None) -> bool:
    """Whether it is proved that every payload that these facts describe is accepted."""
    return accepted is not None and contained(_verdict(facts, accepted, adapter))


def _fits(shapes: Sequence[Shape], accepted: Schema, adapter: Adapter | None) -> bool:
    return contained(_verdict(observed.merged(shape.facts for shape in shapes), accepted, adapter))


def _verdict(facts: PathFacts, accepted: Schema, adapter: Adapter | None) -> Verdict:
    produced = schema_of(facts)
    if produced is True:
        # Payloads that could not be read are among them: no schema says what these are.
        return Compatible() if accepted is True else _UNREADABLE
    if adapter is not None:
        adapted = image(normalise(produced, dialect_of(produced)), adapter)
        if adapted is None:
            return Undecided(place="", why="what the adapter makes of them has no schema.")
        produced = adapted
    try:
        return check(produced, accepted, policy="strict", budget_ms=_BUDGET_MS)
    except SchemaError as error:
        return Undecided(place="", why=str(error))
