"""The one keyword of ours that a contract may hold: what a schema leaves to code.

Law: a schema with it accepts no more than its other keywords say, and nobody can tell what of that. Validators pass
over it, as over every keyword that they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from claude_comm.schema.pointer import escape
from claude_comm.schema.verdict import Json

# Its value is the reason, for a person.
OPAQUE = "x-claude-comm-opaque"


class Code(NamedTuple):
    """Where a schema leaves something to code, and what that is."""

    place: str
    reason: str


def code_in(schema: Json, place: str = "") -> Code | None:
    """The first such place. Data that looks like it counts: then a proof is given up that could have been had."""
    if isinstance(schema, dict) and isinstance(schema.get(OPAQUE), str):
        return Code(place, schema[OPAQUE])
    codes = (code_in(item, f"{place}/{escape(step)}") for step, item in _members(schema))
    return next((code for code in codes if code is not None), None)


def _members(schema: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(schema, dict):
        yield from schema.items()
    elif isinstance(schema, list):
        yield from ((str(index), item) for index, item in enumerate(schema))
