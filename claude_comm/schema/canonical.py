"""The first prover: the canonical forms of `jsonschema-rs`.

Law: only `YES` is an answer. The call cannot be interrupted and holds the interpreter, so it is made only where
`weight` shows that it ends soon.
"""

from __future__ import annotations

import jsonschema_rs

from claude_comm.schema.dialect import DEFAULT, NUMBER
from claude_comm.schema.normal import Document
from claude_comm.schema.verdict import Json

# Alternatives multiply in a canonical form. Measured: below this the slowest call took some tens of milliseconds.
MAX_WEIGHT = 4_000


def proves(produced: Document, accepted: Document) -> bool:
    """Whether the canonical forms show that `accepted` takes every value of `produced`."""
    for one in (produced, accepted):
        # What the normal form leaves open, and what draft 4 tells apart, would read as something else there.
        if one.opaque or one.lexical:
            return False
    if weight(produced.schema) > MAX_WEIGHT or weight(accepted.schema) > MAX_WEIGHT:
        return False
    try:
        left, right = (
            jsonschema_rs.canonicalize(one.schema, draft=NUMBER[DEFAULT], validate_formats=False, offline=True)
            for one in (produced, accepted)
        )
        return right.covers(left) == jsonschema_rs.canonical.Containment.YES
    except ValueError:
        # Every error of the canonical forms is a ValueError: what they cannot model they do not prove.
        return False


def weight(schema: Json) -> int:
    """A cheap bound on the work: values, times the alternatives met on the way down."""
    total, stack = 0, [(schema, 1)]
    while stack:
        value, factor = stack.pop()
        total += factor
        if total > MAX_WEIGHT * 10:
            return total
        if isinstance(value, dict):
            for keyword, item in value.items():
                more = factor * max(1, len(item)) if keyword in _SPLITTING and isinstance(item, list) else factor
                stack.append((item, min(more, MAX_WEIGHT)))
        elif isinstance(value, list):
            stack.extend((item, factor) for item in value)
    return total


_SPLITTING = frozenset(("anyOf", "oneOf", "not", "if"))
