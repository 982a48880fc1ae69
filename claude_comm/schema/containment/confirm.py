"""Two independent validators on one candidate: the only way in which a message becomes a witness.

Law: a witness is a value that both `jsonschema-rs` and `jsonschema` find valid under the producer's schema, and both
find invalid under the consumer's. The first is given what the message reaches of each schema (see `reached`), the
second the whole; the second is asked again with exact numbers and with patterns as ECMA-262 means
them (see `second_validator`). Where the two differ, or one cannot be asked within bounds, there is no witness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jsonschema_rs
import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.containment import canonical
from claude_comm.schema.containment.reached import Parts
from claude_comm.schema.containment.second_validator import SecondValidator
from claude_comm.schema.cost.path_growth import ErrorCost, error_cost
from claude_comm.schema.cost.pattern_cost import scannable, searchable
from claude_comm.schema.cost.validation_cost import SMALL, cost_of, size_of
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.kept import kept
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

# About 0.1 s of each, on a machine of 2025.
MAX_FAST = 1_000_000
MAX_SLOW = 20_000
# Each refusal of `jsonschema` prints the value that it refuses, whether anybody reads it or not.
MAX_PRINTED = 100_000_000
# The interpreter has a thousand frames, the caller uses some, and `jsonschema` takes about nine a level; past the end
# of the stack the library that holds its references ends the process.
MAX_SLOW_DEPTH = 45


class Side(msgspec.Struct, frozen=True, dict=True):
    """One schema in its own dialect, and its normal form. Whatever else is derived from it is derived on first use.

    Most pairs are settled before that, and deriving costs more than using: so the result is kept.
    """

    schema: Json
    dialect: Dialect
    document: Document
    # What the schema says as it was written, where the normal form leaves something of it out.
    written: Side | None = None
    # Whether `precheck.compiles` said so of the schema.
    sure: bool = False

    @kept
    def rust(self) -> jsonschema_rs.Validator:
        """Compiled by the first validator. Raises `SchemaError`."""
        return compile_side(self.schema, self.dialect, self.sure)

    def rust_for(self, message: Json) -> jsonschema_rs.Validator:
        """The same, which need not know what no value of `message` is asked. Raises `SchemaError`."""
        if "rust" in vars(self):
            return self.rust
        ready = self._parts.validator(message) if self._is_local else None
        return self.rust if ready is None else ready

    @kept
    def _parts(self) -> Parts:
        return Parts(self.schema, len(self.text), lambda part: compile_side(part, self.dialect, self.sure))

    @kept
    def _is_local(self) -> bool:
        """Whether each reference is to a definition at the root, as in a normal form."""
        return self.sure or (self.schema is self.document.schema and not self.document.dynamic)

    @kept
    def second(self) -> SecondValidator:
        """The second validator."""
        return SecondValidator(self.schema, self.dialect, self.text)

    @kept
    def closed(self) -> Side:
        """The side under `closed-producer`: its messages are those of the closed schema, which only takes away."""
        document = close(self.document)
        written = self if document.opaque or document.lexical else None
        # Closing adds nothing that could fail, but for keywords that are compiled along references.
        closed = text(document.schema)
        side = Side(document.schema, DEFAULT, document, written, self.sure and b'"unevaluated' not in closed)
        side.keep(closed)
        return side

    @kept
    def text(self) -> bytes:
        """The schema as JSON."""
        return text(self.schema)

    def keep(self, written: bytes, rust: jsonschema_rs.Validator | None = None) -> None:
        """Keeps what was made before there was a side."""
        vars(self)["text"] = written
        if rust is not None:
            vars(self)["rust"] = rust

    @kept
    def error_cost(self) -> ErrorCost:
        """What it takes to name all errors of a message."""
        return error_cost(self.document)

    @kept
    def canonical(self) -> jsonschema_rs.CanonicalSchema | None:
        """The canonical form, if it is cheap."""
        return canonical.form(self.document)


def compile_side(schema: Json, dialect: Dialect, sure: bool = False) -> jsonschema_rs.Validator:
    """Compiled for confirming: also with patterns that are not regular. Raises `SchemaError`."""
    try:
        return compiled(schema, dialect, sure=sure)
    except SchemaError:
        return compiled(schema, dialect, patterns="any")


def accepts(side: Side, candidate: Json, tick: Callable[[], None]) -> bool | None:
    """What both validators say of `candidate`; None where they differ, or cannot be asked."""
    weight = _weight(candidate)
    return None if weight is None else _accepted(side, candidate, tick, weight, None)


# The size of a candidate (`size_of`) and its characters: counted once for all schemas that it is checked against.
_Weight: TypeAlias = tuple[int, int]


def _weight(candidate: Json) -> _Weight | None:
    """None for a candidate that takes long to look at: items that are shared may make it larger than any memory."""
    size = size_of(candidate)
    if size > SMALL and size_of(candidate, MAX_FAST) > MAX_FAST:
        return None
    return size, len(text(candidate))


def _accepted(
    side: Side, candidate: Json, tick: Callable[[], None], weight: _Weight, first: bool | None
) -> bool | None:
    answer = _accepts(side, candidate, tick, weight, first)
    return answer if not answer or side.written is None else _accepts(side.written, candidate, tick, weight, first)


def _accepts(side: Side, candidate: Json, tick: Callable[[], None], weight: _Weight, first: bool | None) -> bool | None:
    """`first` is what the first validator said, if it has been asked."""
    size, characters = weight
    if _is_light(side.document, size, characters):
        tick()
        try:
            first = side.rust_for(candidate).is_valid(candidate) if first is None else first
        except ValueError:
            return None
        return first if side.second.says(candidate, first) else None
    work = cost_of(side.document, candidate, tick, size)
    if work is None:
        return None
    if first is None:
        if work.evaluations > MAX_FAST or not scannable(side.document, candidate, tick):
            return None
        try:
            first = side.rust_for(candidate).is_valid(candidate)
        except ValueError:
            return None
    if (
        work.evaluations > MAX_SLOW
        or work.evaluations * characters > MAX_PRINTED
        or work.depth > MAX_SLOW_DEPTH
        or not searchable(side.document, candidate, tick)
    ):
        return None
    return first if side.second.says(candidate, first) else None


def _is_light(document: Document, size: int, characters: int = 1) -> bool:
    """Whether both validators end soon with any message of this size, as is seen without a look at it."""
    unfolded = document.unfolded
    if unfolded is None or unfolded.depth > MAX_SLOW_DEPTH or document.patterns:
        return False
    most = unfolded.nodes * size
    return most <= min(SMALL, MAX_SLOW, MAX_FAST) and most * characters <= MAX_PRINTED


def fits(side: Side, candidate: Json, tick: Callable[[], None]) -> bool:
    """Whether the first validator alone takes `candidate`, within its bounds."""
    sides = [side] if side.written is None else [side, side.written]
    for form in sides:
        cost = cost_of(form.document, candidate, tick)
        if cost is None or cost.evaluations > MAX_FAST or not scannable(form.document, candidate, tick):
            return False
    try:
        return all(form.rust_for(candidate).is_valid(candidate) for form in sides)
    except ValueError:
        return False


def separates(produced: Side, accepted: Side, candidate: Json, tick: Callable[[], None]) -> bool:
    """Whether the first validator alone takes `candidate` for a message that breaks the consumer's schema."""
    sent = [produced] if produced.written is None else [produced, produced.written]
    size = size_of(candidate)
    for side in (*sent, accepted):
        if _is_light(side.document, size):
            tick()
            continue
        work = cost_of(side.document, candidate, tick, size, enough=MAX_FAST)
        if work is None or work.evaluations > MAX_FAST or not scannable(side.document, candidate, tick):
            return False
    try:
        for side in sent:
            if not side.rust_for(candidate).is_valid(candidate):
                return False
        return not accepted.rust_for(candidate).is_valid(candidate)
    except ValueError:
        return False


def confirmed(
    produced: Side, accepted: Side, candidate: Json, tick: Callable[[], None], *, separated: bool = False
) -> bool:
    """Whether `candidate` is a witness; `separated`: of which `separates` has said so."""
    weight, said = _weight(candidate), (True, False) if separated else (None, None)
    return (
        weight is not None
        and _accepted(produced, candidate, tick, weight, said[0]) is True
        and _accepted(accepted, candidate, tick, weight, said[1]) is False
    )
