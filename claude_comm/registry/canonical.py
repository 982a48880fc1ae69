"""The canonical form of a schema, and digests: the same contract written differently has the same address.

Law: the form means what the schema means, and keeps what others act on: defaults, and keywords that no dialect knows
(`x-sensitive`). What only a reader sees (titles, descriptions, comments, examples) is left out. Two schemas that mean
the same may still differ in it: a digest saves work, and no verdict rests on two digests being different.

The same are: any order of members, of `type`, `required` and `enum`, and of the branches of a composition; a list of
one type and the type; an `enum` of one value and a `const`; `{}` and `true`; 1.0 and 1; `definitions` and `$defs`, the
names in them, and definitions that nothing refers to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.pointer import escape
from claude_comm.schema.values import ordered
from claude_comm.schema.verdict import Json

# What changes nothing for a program.
_WORDS = keywords.NOTES - {"default"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A schema with one of these may be referred to in other ways than by the place of a definition.
_NAMED = keywords.NAMED - {"$ref"}
_DIGEST_CHARACTERS = 16


def canonical(schema: Json) -> Json:
    """Raises SchemaError for a schema that is nested too deeply to be walked."""
    try:
        return _canonical(schema, _names(schema))
    except RecursionError:
        raise SchemaError("the schema is nested too deeply") from None


def by_name(schemas: Mapping[str, Json]) -> dict[str, Json]:
    """The canonical form of each of these schemas, under its name."""
    return {name: canonical(schema) for name, schema in schemas.items()}


def digest(value: Json) -> str:
    """SHA-256 of a JSON value, whatever the order of its members, as 64 hexadecimal digits."""
    return hashlib.sha256(ordered(value).encode("utf-8", "surrogatepass")).hexdigest()


def schema_digest(schema: Json) -> str:
    """The short digest by which two schemas are recognised as the same."""
    return digest(canonical(schema))[:_DIGEST_CHARACTERS]


def _names(schema: Json) -> dict[str, str] | None:
    """The reference to each definition in the order of first use, by how it is written; None where places in the
    schema may have other names, so that nothing may be moved."""
    if not isinstance(schema, dict):
        return {}
    places = {
        f"#/{word}/{escape(name)}": item for word in keywords.DEFINITIONS for name, item in _held(schema, word).items()
    }
    names: dict[str, str] = {}
    below: list[tuple[Json, keywords.Holds, bool]] = []
    below.append((schema, "schema", True))
    while below:
        part, holds, at_root = below.pop()
        if isinstance(part, dict) and holds == "unknown" and "$ref" in part:
            return None
        if isinstance(part, dict) and holds == "schema":
            if _NAMED & part.keys() or (not at_root and any(word in part for word in keywords.DEFINITIONS)):
                return None
            reference = part.get("$ref")
            if isinstance(reference, str) and reference != "#" and reference not in names:
                if reference not in places:
                    return None
                names[reference] = f"#/$defs/d{len(names)}"
                below.append((places[reference], "schema", False))
        for step, item, kind in sorted(keywords.inside(part, holds), key=lambda member: member[0], reverse=True):
            if kind != "data" and not (holds == "schema" and step in keywords.DEFINITIONS):
                below.append((item, kind, False))
    return names


def _held(schema: dict[str, Any], word: str) -> dict[str, Json]:
    held = schema.get(word)
    return held if isinstance(held, dict) else {}


def _canonical(schema: Json, names: dict[str, str] | None, at_root: bool = True) -> Json:
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _WORDS or (keyword == "$schema" and str(value).rstrip("#") == _DIALECT):
            continue
        if names is not None and keyword in keywords.DEFINITIONS:
            continue
        out[keyword] = value
        if keyword in keywords.TABLE:
            held = keywords.mapped(keyword, value, lambda part: _canonical(part, names, False))
            out[keyword] = _plain(keyword, held)
        if keyword == "$ref" and names is not None:
            out[keyword] = names.get(value, value)
        elif names is not None and keyword in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            out[keyword] = sorted(out[keyword], key=ordered)
    if "const" not in out and isinstance(out.get("enum"), list) and len(out["enum"]) == 1:
        out["const"] = out.pop("enum")[0]
    if out.get("required") == []:
        del out["required"]
    if at_root and names:
        out["$defs"] = {
            names[place].rpartition("/")[2]: _canonical(item, names, False)
            for word in keywords.DEFINITIONS
            for name, item in _held(schema, word).items()
            if (place := f"#/{word}/{escape(name)}") in names
        }
    return out or True


def _plain(keyword: str, value: Json) -> Json:
    """The value of a keyword, with what is a set in order."""
    value = _numbers(value) if keywords.TABLE[keyword].holds == "data" else value
    if keyword == "type" and isinstance(value, list):
        return value[0] if len(value) == 1 else sorted(value, key=ordered)
    if keyword in ("required", "enum") and isinstance(value, list):
        return sorted(value, key=ordered)
    if keyword == "dependentRequired" and isinstance(value, dict):
        return {name: sorted(item, key=ordered) if isinstance(item, list) else item for name, item in value.items()}
    return value


def _numbers(value: Json) -> Json:
    """A JSON value with whole floats as integers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    return value
