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

# An object is a dictionary when it has this many keys in all and the samples share next to none of them: no key is in
# more than this share of the objects, of which there are four at least.
MIN_MAP_KEYS = 20
MAX_MAP_SHARE = 0.3

# What `limits` allows a schema; a schema nests two levels for each level of a sample.
MAX_DEPTH = 48


class _Observed(msgspec.Struct):
    """What was seen at one place of the samples, whose number it does not grow with."""

    kinds: set[str] = msgspec.field(default_factory=set)
    strings: int = 0
    words: dict[str, int] = msgspec.field(default_factory=dict)
    many_words: bool = False
    formats: dict[str, Callable[[str], bool]] = msgspec.field(default_factory=dict)
    items: _Observed | None = None
    objects: int = 0
    keys: dict[str, int] = msgspec.field(default_factory=dict)
    properties: dict[str, _Observed] = msgspec.field(default_factory=dict)


def infer(samples: Iterable[Json]) -> dict[str, Json]:
    """The schema (2020-12) that `samples` suggest; one sample is enough.

    Raises `SchemaError` when there is no sample, or when one is not JSON or too deep.
    """
    at = _Observed()
    for sample in samples:
        _observe(at, sample, 0)
    if not at.kinds:
        raise SchemaError("there is nothing to infer a schema from: give at least one sample.")
    return {"$schema": URI[DEFAULT], **_schema(at)}


def _observe(at: _Observed, value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise SchemaError(f"a sample is nested more than {MAX_DEPTH} deep.")
    at.kinds.add(_kind(value))
    if isinstance(value, str):
        _observe_string(at, value)
    elif isinstance(value, list):
        for item in value:
            at.items = at.items or _Observed()
            _observe(at.items, item, depth + 1)
    elif isinstance(value, dict):
        at.objects += 1
        for key, item in value.items():
            if not isinstance(key, str):
                raise SchemaError(f"a sample has a key that is not a string: {key!r:.60}.")
            at.keys[key] = at.keys.get(key, 0) + 1
            _observe(at.properties.setdefault(key, _Observed()), item, depth + 1)


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


def _observe_string(at: _Observed, text: str) -> None:
    if at.strings == 0:
        at.formats = dict(_FORMATS)
    at.strings += 1
    at.formats = {name: holds for name, holds in at.formats.items() if holds(text)}
    if not at.many_words:
        at.words[text] = at.words.get(text, 0) + 1
        if len(at.words) > MAX_ENUM_WORDS or len(text) > MAX_ENUM_CHARS:
            at.many_words, at.words = True, {}


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


def _schema(at: _Observed) -> dict[str, Json]:
    kinds = [kind for kind in keywords.TYPES if kind in at.kinds]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")  # every integer is a number
    schema: dict[str, Json] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if at.strings:
        _add_string_rules(schema, at, kinds)
    if at.items is not None:
        schema["items"] = _schema(at.items)
    if at.objects:
        _add_object_rules(schema, at)
    return schema


def _add_string_rules(schema: dict[str, Json], at: _Observed, kinds: list[str]) -> None:
    if at.formats:
        schema["format"] = next(iter(at.formats))
    elif _is_enumeration(at) and set(kinds) <= {"string", "null"}:
        schema["enum"] = [*sorted(at.words), *([None] if "null" in kinds else [])]


def _is_enumeration(at: _Observed) -> bool:
    enough = max(MIN_ENUM_SIGHTS, SIGHTS_PER_WORD * len(at.words))
    return not at.many_words and at.strings >= enough and min(at.words.values()) >= 2


def _add_object_rules(schema: dict[str, Json], at: _Observed) -> None:
    if _is_map(at):
        schema["additionalProperties"] = _schema(_joined(list(at.properties.values())))
        return
    schema["properties"] = {key: _schema(seen) for key, seen in at.properties.items()}
    required = [key for key, count in at.keys.items() if count == at.objects]
    if required:
        schema["required"] = required


def _is_map(at: _Observed) -> bool:
    return len(at.keys) >= MIN_MAP_KEYS and max(at.keys.values()) <= MAX_MAP_SHARE * at.objects


def _joined(observed: list[_Observed]) -> _Observed:
    """What was seen at several places, as if it had been seen at one."""
    joined = _Observed()
    for at in observed:
        joined.kinds |= at.kinds
        joined.objects += at.objects
        if at.strings:
            held = at.formats.keys() & joined.formats.keys() if joined.strings else at.formats.keys()
            joined.formats = {name: holds for name, holds in _FORMATS.items() if name in held}
            joined.strings += at.strings
        joined.many_words |= at.many_words
        for word, count in at.words.items():
            joined.words[word] = joined.words.get(word, 0) + count
        for key, count in at.keys.items():
            joined.keys[key] = joined.keys.get(key, 0) + count
    joined.many_words |= len(joined.words) > MAX_ENUM_WORDS
    items = [at.items for at in observed if at.items is not None]
    joined.items = _joined(items) if items else None
    places: dict[str, list[_Observed]] = {}
    for at in observed:
        for key, seen in at.properties.items():
            places.setdefault(key, []).append(seen)
    joined.properties = {key: _joined(seen) for key, seen in places.items()}
    return joined
