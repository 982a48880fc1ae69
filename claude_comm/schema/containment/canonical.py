"""The first prover: the canonical forms of `jsonschema-rs`, fast where they can tell.

Law: only their "yes" is a proof. The calls cannot be interrupted and hold the interpreter's lock, so they are made only
where `cheap` shows that they end soon; everything else is left to the prover of this project, which can be interrupted
at each step.
"""

from __future__ import annotations

import jsonschema_rs

from claude_comm.schema import keywords
from claude_comm.schema.cost.pattern_cost import has_lookaround
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.dialect_number import NUMBER
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json

# Values times the alternatives above them. Measured on families of hostile schemas: comparing takes time as the cube of
# the properties (240 of them, 8 s), and eight `not`s beside each other took over 5 s. Within these three limits the
# slowest call took about 0.1 s.
MAX_WEIGHT = 400
MAX_SPLITS = 3
MAX_REFERENCES = 30
DEPENDENCIES_A_SPLIT = 8


def form(document: Document) -> jsonschema_rs.CanonicalSchema | None:
    """The canonical form, where it is certain to be built soon and to say what the document says."""
    # What the normal form leaves open, and what draft 4 tells apart, would read as something else there. Look-around
    # is searched in the constants of the other side, which takes minutes for a long one.
    if document.opaque or document.lexical or not cheap(document.schema) or has_lookaround(document):
        return None
    try:
        return jsonschema_rs.canonicalize(document.schema, draft=NUMBER[DEFAULT], validate_formats=False, offline=True)
    except ValueError:
        # Every error of the canonical forms is a ValueError: what they cannot model they do not judge.
        return None


def proves(
    produced: jsonschema_rs.CanonicalSchema | None, accepted: jsonschema_rs.CanonicalSchema | None
) -> bool | None:
    """Whether `accepted` takes every value of `produced`, as the canonical forms see it; None: they cannot tell."""
    if produced is None or accepted is None:
        return None
    try:
        answer = accepted.covers(produced)
    except ValueError:
        return None
    if answer == jsonschema_rs.canonical.Containment.UNKNOWN:
        return None
    return bool(answer == jsonschema_rs.canonical.Containment.YES)


def cheap(schema: Json) -> bool:
    """Whether canonical forms of `schema` are certain to be built and compared soon."""
    total = splits = references = 0
    stack: list[tuple[Json, int, bool, keywords.Holds]] = [(schema, 1, False, "schema")]
    while stack:
        value, factor, among, holds = stack.pop()
        total += factor
        if total > MAX_WEIGHT or splits > MAX_SPLITS or references > MAX_REFERENCES:
            return False
        if isinstance(value, list):
            for _, item, inner in keywords.inside(value, holds):
                stack.append((item, factor, among, inner))
            continue
        for keyword, item, inner in keywords.inside(value, holds):
            if holds != "schema" or keyword not in _NOTABLE:
                if isinstance(item, dict | list):
                    stack.append((item, factor, False, inner))
                else:
                    total += factor
                continue
            if keyword in _SPLITTING:
                splits += len(item) - 1 if keyword == "oneOf" else 1
            # Each entry is a choice of its own: 24 dependent schemas took 0.7 s, 16 of them 0.05 s.
            splits += len(item) // DEPENDENCIES_A_SPLIT if keyword in _DEPENDENT else 0
            references += keyword == "$ref"
            wide = keyword in keywords.UNIONS
            # Alternatives beside alternatives multiply.
            splits += len(item) - 1 if among and wide else 0
            stack.append((item, factor * len(item) if wide else factor, keyword == "allOf", inner))
    return total <= MAX_WEIGHT and splits <= MAX_SPLITS and references <= MAX_REFERENCES


_DEPENDENT = frozenset(("dependentRequired", "dependentSchemas"))
# What the canonical forms resolve by cases; measured, and not to be read off the table.
_SPLITTING = (
    frozenset(("oneOf", "not", "if", "contains", "patternProperties", "propertyNames"))
    | _DEPENDENT
    | keywords.UNEVALUATED
)
_NOTABLE = _SPLITTING | _DEPENDENT | {"$ref", "anyOf", "allOf"}
