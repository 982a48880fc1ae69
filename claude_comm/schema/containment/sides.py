"""Schemas made ready to be compared, each once: a module asks about the same ones again and again.

Law: a schema that cannot be used is refused here, by `SchemaError`, and nowhere later; what is kept belongs to no
question, and is told apart by its text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from claude_comm.schema.containment import confirm
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.limits import Measure, measure
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.plain import Plain, plain
from claude_comm.schema.validation.precheck import compiles
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

# Schemas of up to this many characters are kept ready. Small ones have room of their own, so that those of many modules
# stay: throwing one away takes a tenth of the time of a check.
MAX_KEPT, MAX_SMALL = 32_768, 4_096


def side_of(schema: Json, default: Dialect, look: Callable[[], None]) -> Side:
    """A schema made ready. `look` is called between stages that take long for the largest; raises `SchemaError`."""
    seen = plain(schema) if default == DEFAULT else None
    if seen is not None:
        return (_kept_small if len(seen.text) <= MAX_SMALL else _kept)(_Written(seen.text, seen), default)
    # Measured before it is written as text: lists that stand in many places may make that larger than any memory.
    size = measure(schema)
    written = _Written(text(schema), size)
    if size.characters > MAX_KEPT:
        return _made(schema, written, default, look)
    # The text tells 1 from 1.0 and true, which a dictionary would not.
    return (_kept_small if size.characters <= MAX_SMALL else _kept)(written, default)


class _Written(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A schema as text, and what is known of it: which the text decides, and so takes no part in what is equal."""

    text: bytes
    known: Measure | Plain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@functools.lru_cache(maxsize=256)
def _kept(written: _Written, default: Dialect) -> Side:
    return _made(msgspec.json.decode(written.text), written, default, lambda: None)


_kept_small = functools.lru_cache(maxsize=1_024)(_kept.__wrapped__)


def _made(schema: Json, written: _Written, default: Dialect, look: Callable[[], None]) -> Side:
    if isinstance(written.known, Plain):
        side = Side(schema, DEFAULT, written.known.document(schema), sure=True)
        side.keep(written.text)
        return side
    dialect = dialect_of(schema, default)
    sure = compiles(schema, dialect, written.known, written.text)
    look()
    ready = None if sure else confirm.compile_side(schema, dialect)
    look()
    side = Side(schema, dialect, normalise(schema, dialect, written.known), sure=sure)
    look()
    # Compiled only when a message is put to it: many pairs are proved without one.
    side.keep(written.text, ready)
    return side
