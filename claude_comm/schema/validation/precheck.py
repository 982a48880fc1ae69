"""Whether compiling a schema is certain to succeed, without compiling it.

Law: yes only where nothing but the meta-schema could refuse it, and the meta-schema does not. What else may fail is
left to the compiler, which names the fault: identifiers and references other than `#/$defs/NAME`, numbers out of the
ordinary, keywords that are followed through references, and patterns that do not compile on their own.

Compiling costs five times as much as this check, and only a pair that needs a witness needs a compiled schema.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.limits import Measure
from claude_comm.schema.normalform.validator_dialect import has_long_lists
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import Json

# Keywords after which a document is no longer one resource of one dialect, or is compiled along its references, or has
# to be rendered first.
_RENDERED = frozenset(("contentEncoding", "contentMediaType", "dependencies"))
_BEYOND = (
    frozenset(keywords.names(lambda row: row.role in ("identifier", "reference") or row.name in _RENDERED))
    | keywords.UNEVALUATED
) - {"id", "$ref"}
_WALKED = keywords.PATTERNS | {"$ref"}
_NAME = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
MAX_PATTERN = 200


def compiles(schema: Json, dialect: Dialect, size: Measure) -> bool:
    """Whether `schema`, which `measure` found to be of this size, is certain to compile."""
    if dialect != DEFAULT or not size.ordinary or not _BEYOND.isdisjoint(size.names):
        return False
    if not _WALKED.isdisjoint(size.names) and not all(_holds(schema, *pair) for pair in _walked_for(schema)):
        return False
    if has_long_lists(schema, size):
        return False
    return jsonschema_rs.meta.is_valid(schema)


def _walked_for(schema: Json) -> Iterator[tuple[str, Json]]:
    """The keywords that are walked for, with their values."""
    for inner in keywords.schemas(schema):
        if not _WALKED.isdisjoint(inner):
            yield from ((name, inner[name]) for name in _WALKED & inner.keys())


def _holds(schema: Json, keyword: str, value: Json) -> bool:
    """Whether a reference leads somewhere, or patterns compile."""
    if keyword == "patternProperties":
        return isinstance(value, dict) and all(map(_readable, value))
    if not isinstance(value, str):
        return False
    return _readable(value) if keyword == "pattern" else _leads(schema, value)


def _leads(schema: dict[str, Any], reference: str) -> bool:
    name = _NAME.fullmatch(reference)
    definitions = schema.get("$defs")
    return name is not None and isinstance(definitions, dict) and isinstance(definitions.get(name[1]), dict)


@functools.lru_cache(maxsize=1024)
def _readable(pattern: str) -> bool:
    """Whether a pattern compiles: each of a schema is compiled on its own, within bounds of its own."""
    if len(pattern) > MAX_PATTERN:
        return False
    try:
        compiled({"pattern": pattern}, DEFAULT)
    except SchemaError:
        return False
    return True
