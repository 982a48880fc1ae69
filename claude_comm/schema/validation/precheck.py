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
import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.limits import Measure
from claude_comm.schema.normalform.validator_dialect import has_long_lists
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import Json

# Keywords after which a document is no longer one resource of one dialect, or is compiled along its references, or has
# to be rendered first.
_RENDERED = keywords.CONTENT | {"dependencies"}
_BEYOND = (
    frozenset(keywords.names(lambda row: row.role in ("identifier", "reference") or row.name in _RENDERED))
    | keywords.UNEVALUATED
) - {"id", "$ref"}
_SEARCHED = keywords.PATTERNS | {"$ref"}
_PATTERN_OR_REFERENCE = re.compile(rb'"(pattern|\$ref)": ?("(?:[^"\\]|\\.)*")')
_NAME = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
MAX_PATTERN = 200


def compiles(schema: Json, dialect: Dialect, size: Measure, text: bytes) -> bool:
    """Whether `schema`, which `measure` found to be of this size and which has this `text`, is certain to compile."""
    if dialect != DEFAULT or not size.ordinary or not _BEYOND.isdisjoint(size.names):
        return False
    if not _SEARCHED.isdisjoint(size.names) and not all(_holds(schema, *pair) for pair in _searched_for(schema, text)):
        return False
    if has_long_lists(schema, size):
        return False
    return jsonschema_rs.meta.is_valid(schema)


def _searched_for(schema: Json, text: bytes) -> Iterator[tuple[str, str]]:
    """Every pattern and reference: searched in the text, in a tenth of the time of a walk, with what only looks so."""
    for name, value in _PATTERN_OR_REFERENCE.findall(text):
        yield name.decode(), msgspec.json.decode(value)
    if b'"patternProperties"' in text:
        for inner in keywords.schemas(schema):
            names = inner.get("patternProperties", ())
            yield from (("pattern", source) for source in names if isinstance(names, dict))


def _holds(schema: Json, keyword: str, value: str) -> bool:
    """Whether a reference leads somewhere, or a pattern compiles."""
    return readable(value) if keyword == "pattern" else leads(schema, value)


def leads(schema: dict[str, Any], reference: str) -> bool:
    name = _NAME.fullmatch(reference)
    definitions = schema.get("$defs")
    return name is not None and isinstance(definitions, dict) and isinstance(definitions.get(name[1]), dict)


@functools.lru_cache(maxsize=1024)
def readable(pattern: str) -> bool:
    """Whether a pattern compiles: each of a schema is compiled on its own, within bounds of its own."""
    if len(pattern) > MAX_PATTERN:
        return False
    try:
        compiled({"pattern": pattern}, DEFAULT)
    except SchemaError:
        return False
    return True
