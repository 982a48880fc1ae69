"""The first prover: the canonical forms of `jsonschema-rs`.

Law: only `YES` is an answer. The call cannot be interrupted and holds the interpreter, so it is made only where
`weight` shows that it ends soon.
"""

from __future__ import annotations

import jsonschema_rs

from claude_comm.schema.dialect import NUMBER, Dialect
from claude_comm.schema.verdict import Json

# Alternatives multiply in a canonical form. Measured: below this the slowest call took some tens of milliseconds.
MAX_WEIGHT = 4_000


def proves(produced: Json, accepted: Json, dialect: Dialect) -> bool:
    """Whether the canonical forms show that `accepted` takes every value of `produced`."""
    if weight(produced) * max(1, weight(accepted)) > MAX_WEIGHT * MAX_WEIGHT:
        return False
    number = NUMBER[dialect]
    try:
        left = jsonschema_rs.canonicalize(produced, draft=number, validate_formats=False, offline=True)
        right = jsonschema_rs.canonicalize(accepted, draft=number, validate_formats=False, offline=True)
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
