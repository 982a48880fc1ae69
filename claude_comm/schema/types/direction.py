"""The two schemas of a type, and what neither of them can say.

Law: `accepts` allows nothing that the type's decoder refuses; `produces` leaves out nothing that its encoder may write.
What decides in Python code (a validator, a converter) is marked as opaque in what is accepted: no proof rests on it,
and the verdict names it. In what is produced it needs no mark, since every payload is held to that schema when it is
sent.
"""

from __future__ import annotations

import enum
from typing import Any, Literal, TypeAlias

from claude_comm.schema import keywords
from claude_comm.schema.opaque import OPAQUE

Schema: TypeAlias = dict[str, Any]
Direction: TypeAlias = Literal["accepts", "produces"]


def of_64_bits(schema: Schema) -> Schema:
    """The integers among these that a message can carry."""
    low, high = (max((schema[name] for name in names if name in schema), default=None) for names in _ENDS)
    least = {} if low is not None and low >= -(2**63) else {"minimum": -(2**63)}
    most = {} if high is not None and high < 2**64 else {"maximum": 2**64 - 1}
    return {**schema, **least, **most}


def with_far_bounds(schema: Schema, *, accepts: bool) -> Schema:
    """A float with these bounds: beside one that is beyond 2^53 an integer is rounded before it is compared."""
    far = {name: float(schema[name]) for names in _ENDS for name in names if abs(schema.get(name, 0)) > 2**53}
    if not far:
        return schema
    steps = {name: (1 if name in _ENDS[0] else -1) * abs(bound) * 1e-15 for name, bound in far.items()}
    loose = {**schema, **{name: bound - steps[name] for name, bound in far.items()}}
    if not accepts:
        return loose
    return {
        "anyOf": [
            {**schema, **{name: bound + steps[name] for name, bound in far.items()}},
            opaque(loose, "a bound beyond 2^53"),
        ]
    }


def exact_multiples(step: Any) -> Schema | None:
    """Where a float is a multiple of this step as its decimal is; None where binary fractions do not have the step.

    A longer integer is rounded before it is divided, and a longer fraction before it is printed.
    """
    if 1024 * step % 1 != 0:
        return None
    far = 2**53 if step % 1 == 0 else 2**40
    return {"minimum": -far, "maximum": far}


# The lower bounds of a number, and the upper ones.
_ENDS = (
    keywords.names(lambda row: row.about == "number" and row.bound > 0),
    keywords.names(lambda row: row.about == "number" and row.bound < 0),
)


def makes_missing(cls: type[enum.Enum]) -> bool:
    """Whether code of an enumeration decides what becomes of a value that none of its members has."""
    usual = enum.Flag if issubclass(cls, enum.Flag) else enum.Enum
    return getattr(cls._missing_, "__func__", None) is not getattr(usual._missing_, "__func__", None)


def opaque(schema: Schema, name: str) -> Schema:
    """A schema whose values the code called `name` may refuse, or change."""
    reason = f"`{name}` is Python code, which no proof can read; state what it takes with `accepts=`"
    if OPAQUE in schema or "$ref" in schema:
        return {"allOf": [schema], OPAQUE: reason}
    return {**schema, OPAQUE: reason}
