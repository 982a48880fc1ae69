"""Weighing the traffic of some days by its shapes, without a look at the messages.

Law: sound. A shape is clear when it is proved that whatever has it is accepted; what is not clear is handed back, to be
replayed. That an example is refused shows that such messages are there; that it is accepted shows nothing of the
others.

Theory of operation. A shape whose example is refused needs no proof: it is open. Of the others, one proof about all
shapes of a flow together costs about as much as one about a single shape, and mostly it succeeds. Where it fails the
shapes are halved, so that a few that do not fit are found in a few proofs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.impact import observed
from claude_comm.impact.shape_schema import schema_of
from claude_comm.impact.shapes import Shape
from claude_comm.registry.contracts import Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.evolution.image import image
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import contained

# Of one proof about shapes. What takes longer is replayed, which is sure.
_BUDGET_MS = 100


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


def _fits(shapes: Sequence[Shape], accepted: Schema, adapter: Adapter | None) -> bool:
    produced = schema_of(observed.merged(shape.facts for shape in shapes))
    if produced is True:
        return accepted is True
    if adapter is not None:
        adapted = image(normalise(produced, dialect_of(produced)), adapter)
        if adapted is None:
            return False
        produced = adapted
    try:
        return contained(check(produced, accepted, policy="strict", budget_ms=_BUDGET_MS))
    except SchemaError:
        return False
