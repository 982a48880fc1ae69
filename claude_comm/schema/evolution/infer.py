"""A schema from sample messages.

Law: every sample is an instance of what is inferred, also for a validator that asserts formats. Beyond that the schema
says what a person would say after reading the samples: which keys are always there, what may be null, which strings
are dates or one of few words. It never says what only chance would (bounds of numbers, lengths, closed objects).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import jsonschema_rs
import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.verdict import Json

# An enumeration is claimed only when its few words came back often: ten sights, each word at least twice and three
# times on average. Free text does not do that.
MIN_ENUM_SIGHTS = 10
MAX_ENUM_WORDS = 12
MAX_ENUM_CHARS = 64
SIGHTS_PER_WORD = 3

# An object is a dictionary when it has this many keys in all and the samples share next to none of them.
MIN_MAP_KEYS = 20
MIN_MAP_OBJECTS = 3
MAX_MAP_SHARE = 0.3

# What `limits` allows a schema; a schema nests two levels for each level of a sample.
MAX_DEPTH = 48


class _Shape(msgspec.Struct):
    """What was seen at one place of the samples, without the samples: one pass, memory by shape and not by count."""

    kinds: set[str] = msgspec.field(default_factory=set)
    strings: int = 0
    words: dict[str, int] = msgspec.field(default_factory=dict)
    many_words: bool = False
    formats: dict[str, Callable[[str], bool]] = msgspec.field(default_factory=dict)
    items: _Shape | None = None
    objects: int = 0
    keys: dict[str, int] = msgspec.field(default_factory=dict)
    properties: dict[str, _Shape] = msgspec.field(default_factory=dict)


def infer(samples: Iterable[Json]) -> dict[str, Json]:
    """The schema (2020-12) that `samples` suggest; one sample is enough.

    Raises `SchemaError` when there is no sample, or when one is not JSON or too deep.
    """
    shape = _Shape()
    for sample in samples:
        _see(shape, sample, 0)
    if not shape.kinds:
        raise SchemaError("there is nothing to infer a schema from: give at least one sample.")
    return {"$schema": URI[DEFAULT], **_schema(shape)}


def _see(shape: _Shape, value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise SchemaError(f"a sample is nested more than {MAX_DEPTH} deep.")
    shape.kinds.add(_kind(value))
    if isinstance(value, str):
        _see_string(shape, value)
    elif isinstance(value, list):
        for item in value:
            shape.items = shape.items or _Shape()
            _see(shape.items, item, depth + 1)
    elif isinstance(value, dict):
        shape.objects += 1
        for key, item in value.items():
            if not isinstance(key, str):
                raise SchemaError(f"a sample has a key that is not a string: {key!r:.60}.")
            shape.keys[key] = shape.keys.get(key, 0) + 1
            _see(shape.properties.setdefault(key, _Shape()), item, depth + 1)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float() if math.isfinite(value):
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    raise SchemaError(f"a sample holds {value!r:.60}, which JSON cannot carry.")


def _see_string(shape: _Shape, text: str) -> None:
    if shape.strings == 0:
        shape.formats = dict(_FORMATS)
    shape.strings += 1
    shape.formats = {name: holds for name, holds in shape.formats.items() if holds(text)}
    if not shape.many_words:
        shape.words[text] = shape.words.get(text, 0) + 1
        if len(shape.words) > MAX_ENUM_WORDS or len(text) > MAX_ENUM_CHARS:
            shape.many_words, shape.words = True, {}


def _asserted(name: str) -> Callable[[str], bool]:
    validator = jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)

    def holds(text: str) -> bool:
        try:
            return validator.is_valid(text)
        except UnicodeEncodeError:  # a lone surrogate, which no format allows
            return False

    return holds


def _is_uri(text: str) -> bool:
    """RFC 3986 also calls `key:value` a URI; a person means one with an authority, or a mail or urn address."""
    return ("://" in text or text.startswith(("mailto:", "urn:"))) and _URI(text)


_URI = _asserted("uri")
# In order of preference, though no two of them share a string that people write.
_FORMATS: dict[str, Callable[[str], bool]] = {
    **{name: _asserted(name) for name in ("date-time", "date", "time", "uuid", "email", "ipv4", "ipv6")},
    "uri": _is_uri,
}


def _schema(shape: _Shape) -> dict[str, Json]:
    kinds = [kind for kind in keywords.TYPES if kind in shape.kinds]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")  # every integer is a number
    schema: dict[str, Json] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if shape.strings:
        _add_string_rules(schema, shape, kinds)
    if shape.items is not None:
        schema["items"] = _schema(shape.items)
    if shape.objects:
        _add_object_rules(schema, shape)
    return schema


def _add_string_rules(schema: dict[str, Json], shape: _Shape, kinds: list[str]) -> None:
    if shape.formats:
        schema["format"] = next(iter(shape.formats))
    elif _is_enumeration(shape) and set(kinds) <= {"string", "null"}:
        schema["enum"] = [*sorted(shape.words), *([None] if "null" in kinds else [])]


def _is_enumeration(shape: _Shape) -> bool:
    enough = max(MIN_ENUM_SIGHTS, SIGHTS_PER_WORD * len(shape.words))
    return not shape.many_words and shape.strings >= enough and min(shape.words.values()) >= 2


def _add_object_rules(schema: dict[str, Json], shape: _Shape) -> None:
    if _is_map(shape):
        schema["additionalProperties"] = _schema(_joined(list(shape.properties.values())))
        return
    schema["properties"] = {key: _schema(seen) for key, seen in shape.properties.items()}
    required = [key for key, count in shape.keys.items() if count == shape.objects]
    if required:
        schema["required"] = required


def _is_map(shape: _Shape) -> bool:
    if len(shape.keys) < MIN_MAP_KEYS or shape.objects < MIN_MAP_OBJECTS:
        return False
    return max(shape.keys.values()) <= MAX_MAP_SHARE * shape.objects


def _joined(shapes: list[_Shape]) -> _Shape:
    """What was seen at several places, as if it had been seen at one."""
    joined = _Shape()
    for shape in shapes:
        joined.kinds |= shape.kinds
        joined.objects += shape.objects
        if shape.strings:
            held = shape.formats.keys() & joined.formats.keys() if joined.strings else shape.formats.keys()
            joined.formats = {name: holds for name, holds in _FORMATS.items() if name in held}
            joined.strings += shape.strings
        joined.many_words |= shape.many_words
        for word, count in shape.words.items():
            joined.words[word] = joined.words.get(word, 0) + count
        for key, count in shape.keys.items():
            joined.keys[key] = joined.keys.get(key, 0) + count
    joined.many_words |= len(joined.words) > MAX_ENUM_WORDS
    items = [shape.items for shape in shapes if shape.items is not None]
    joined.items = _joined(items) if items else None
    places: dict[str, list[_Shape]] = {}
    for shape in shapes:
        for key, seen in shape.properties.items():
            places.setdefault(key, []).append(seen)
    joined.properties = {key: _joined(seen) for key, seen in places.items()}
    return joined
