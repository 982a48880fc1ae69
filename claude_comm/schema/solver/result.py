"""What a search for a value of a formula comes to.

Law: `UNSAT` is a proof that there is none; `Sat` holds one, which is sure unless an unknown decides; `Unknown` says why
neither was reached, and is never taken for either.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, assert_never

import msgspec

from claude_comm.schema.verdict import Json


class Unsat(msgspec.Struct, frozen=True):
    """There is no such value."""


class Sat(msgspec.Struct, frozen=True):
    """There is this one; if not `sure`, it is only worth trying."""

    value: Json
    sure: bool = True


class Unknown(msgspec.Struct, frozen=True):
    """Could not tell: the `reason`, and the keyword whose place in the schema caused it (none: the whole)."""

    reason: str
    keyword: str = ""


Result: TypeAlias = Unsat | Sat | Unknown

UNSAT = Unsat()

# Messages to try, each answered by the caller with whether it breaks the consumer, before the next one is made.
Candidates: TypeAlias = Generator[Json, bool, None]


def better(left: Result, right: Result) -> Result:
    """Of two alternatives: a sure value before a guess, a guess before not knowing, not knowing before none."""
    return left if _rank(left) >= _rank(right) else right


def _rank(result: Result) -> int:
    match result:
        case Sat(sure=sure):
            return 3 if sure else 2
        case Unknown():
            return 1
        case Unsat():
            return 0
        case _:
            assert_never(result)
