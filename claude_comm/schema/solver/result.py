"""What a search for a value of a formula comes to.

Law: `EMPTY` is a proof that there is none; `Found` holds one, which is sure unless an unknown decides; `Hard` says why
neither was reached, and is never taken for either.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from claude_comm.schema.verdict import Json


class Empty(msgspec.Struct, frozen=True):
    """There is no such value."""


class Found(msgspec.Struct, frozen=True):
    """There is this one; if not `sure`, it is only worth trying."""

    value: Json
    sure: bool = True


class Hard(msgspec.Struct, frozen=True):
    """Could not tell: `why`, and which keyword is to be looked for to find the place (none: the whole)."""

    why: str
    keyword: str = ""


Outcome: TypeAlias = Empty | Found | Hard

EMPTY = Empty()


def better(left: Outcome, right: Outcome) -> Outcome:
    """Of two alternatives: a sure value before a guess, a guess before not knowing, not knowing before none."""
    return left if _rank(left) >= _rank(right) else right


def _rank(outcome: Outcome) -> int:
    match outcome:
        case Found(sure=sure):
            return 3 if sure else 2
        case Hard():
            return 1
        case Empty():
            return 0
