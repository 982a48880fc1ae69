"""The first prover: the canonical forms of `jsonschema-rs`.

Law: only `YES` is an answer. The call cannot be interrupted and holds the interpreter, so it is made only where
`cheap` shows that it ends soon; all else is left to the prover of this project, which can be interrupted anywhere.
"""

from __future__ import annotations

import jsonschema_rs

from claude_comm.schema.dialect import DEFAULT, NUMBER
from claude_comm.schema.normal import Document
from claude_comm.schema.verdict import Json

# Values times the alternatives above them. Measured on families of hostile schemas: below this, and below the next two,
# the slowest call took 50 ms; eight `not`s beside each other took over 5 s.
MAX_WEIGHT = 4_000
MAX_SPLITS = 3
MAX_REFERENCES = 30


def proves(produced: Document, accepted: Document) -> bool:
    """Whether the canonical forms show that `accepted` takes every value of `produced`."""
    for one in (produced, accepted):
        # What the normal form leaves open, and what draft 4 tells apart, would read as something else there.
        if one.opaque or one.lexical:
            return False
    if not (cheap(produced.schema) and cheap(accepted.schema)):
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


def cheap(schema: Json) -> bool:
    """Whether canonical forms of `schema` are certain to be built and compared soon."""
    total = splits = references = 0
    stack = [(schema, 1)]
    while stack:
        value, factor = stack.pop()
        total += factor
        if total > MAX_WEIGHT or splits > MAX_SPLITS or references > MAX_REFERENCES:
            return False
        if isinstance(value, dict):
            for keyword, item in value.items():
                if keyword in _SPLITTING:
                    splits += len(item) - 1 if keyword == "oneOf" else 1
                references += keyword == "$ref"
                wide = isinstance(item, list) and keyword in {"anyOf", "oneOf"}
                stack.append((item, factor * len(item) if wide else factor))
        elif isinstance(value, list):
            stack.extend((item, factor) for item in value)
    return True


_SPLITTING = frozenset(
    (
        *("oneOf", "not", "if", "contains", "dependentRequired", "dependentSchemas"),
        *("unevaluatedProperties", "unevaluatedItems", "patternProperties", "propertyNames"),
    )
)
