"""What the rules for pydantic's core schemas share: the node, its mode, its bounds, and what is left to code.

Law: as in `direction`. A bound is told of a numeral only where a pattern can tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from claude_comm.schema.keywords import PYTHON_LIMITS
from claude_comm.schema.types.decimals import at_least, at_most
from claude_comm.schema.types.direction import Schema, opaque
from claude_comm.schema.types.texts import Text

Core: TypeAlias = Mapping[str, Any]


class Mode(msgspec.Struct, frozen=True):
    """How a node is used: in which direction, and under which settings of its model."""

    accepts: bool
    strict: bool = False
    config: Mapping[str, Any] = {}

    def within(self, node: Core) -> Mode:
        """The mode of a node that may set `strict` itself: not for the nodes within it."""
        own = node.get("strict")
        return self if own is None or own == self.strict else msgspec.structs.replace(self, strict=own)


Rule: TypeAlias = Callable[[Core, Mode], Schema]


def any_of(*schemas: Schema) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


_BOUNDS = (*PYTHON_LIMITS, "multiple_of")


def bounds_of(node: Core) -> Schema:
    said = {keyword: node[name] for name, keyword in PYTHON_LIMITS.items() if node.get(name) is not None}
    return said if node.get("multiple_of") is None else {**said, "multipleOf": node["multiple_of"]}


def is_bounded(node: Core) -> bool:
    return any(node.get(name) is not None for name in _BOUNDS)


def is_within(value: float, node: Core) -> bool:
    """Whether a number is within a node's bounds."""
    low, above, high, below = (node.get(name) for name in ("ge", "gt", "le", "lt"))
    step = node.get("multiple_of")
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
        and (step is None or Decimal(value) % Decimal(str(step)) == 0)
    )


BOUND_OF_TEXT = "a bound of a number that is written as text"


def left_open(text: Text, known: str = "", chars: int = 0, why: str = BOUND_OF_TEXT) -> Schema:
    """Numerals of which a bound decides, but for those that are known, of up to so many characters."""
    schema = text.schema()
    if known:
        schema["not"] = {"pattern": f"^(?:{known})$", **({"maxLength": chars} if chars else {})}
    return opaque(schema, why)


def numerals_within(node: Core) -> list[str] | None:
    """Patterns that the numerals within a node's bounds match, all of them; None where a bound is not told."""
    sides = (("ge", at_least, False), ("gt", at_least, True), ("le", at_most, False), ("lt", at_most, True))
    patterns = [tell(node[name], strict=strict) for name, tell, strict in sides if node.get(name) is not None]
    if node.get("multiple_of") is not None:
        return None
    known = [pattern for pattern in patterns if pattern is not None]
    return known if len(known) == len(patterns) else None


def all_of(text: Text, patterns: list[str]) -> Schema:
    """The texts that match all of these."""
    return msgspec.structs.replace(text, within=(*text.within, *map(Text, patterns))).schema()
