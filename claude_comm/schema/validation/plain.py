"""Plain schemas: what one walk shows to be within every cap, to compile, and to be written as a normal form is.

Law: of a schema that is plain here, `limits.measure` finds nothing to refuse, `precheck.compiles` says yes, and
`Plain.document` is what `normalise` makes of it. Whatever is not certain is not plain, and goes through these three one
after the other.

Theory of operation. Most message schemas say no more than types, properties, bounds, lists and unions, in 2020-12. For
each of those keywords the meta-schema asks one thing of its value (`_SHAPES`: a map of schemas, a count, a list of
names), so that one walk, a layer of subschemas after the other, tests what it asks and measures what the caps limit. A
walk in each of the three takes as long as the proof of such a pair. Left out are all keywords by which a schema is more
than its own text: identifiers, dynamic references, `unevaluated…`, what older dialects had, numbers that a validator
might round, and lists long enough to be looked up.

References: JSON Schema 2020-12, the meta-schemas of core, applicator, validation and meta-data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.limits import Measure
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.normalform.validator_dialect import MANY_LISTED
from claude_comm.schema.validation.precheck import leads, readable
from claude_comm.schema.verdict import Json

# Layers of subschemas, each at most two levels of JSON below the last, and what data may add: well within the depth at
# which validators are watched (`normalform.document`).
MAX_LAYERS, DATA_LEVELS = 14, 6
MAX_SCHEMAS, MAX_NAMES, MAX_DATA, MAX_CHARACTERS = 2_000, 4_000, 2_000, 32_768
# Counts and bounds that every validator holds as they are.
_ORDINARY = 2**31


class Plain(msgspec.Struct, frozen=True, gc=False):
    """A plain schema as JSON text, the keywords in it, and its regular expressions."""

    text: bytes
    names: set[str]
    patterns: tuple[str, ...]

    def document(self, schema: Json) -> Document:
        """The normal form of the schema, which is given as it was decoded from the text."""
        reached: dict[str, Json] = {}
        size, whole = self.measured(), schema
        if not _FORM_NAMES.issuperset(self.names):
            if not self._is_referring(schema):
                return normalise(schema, DEFAULT, size)
            whole, reached = _with_what_is_reached(schema)
        origins = {name: f"/$defs/{name}" for name in reached}
        document = Document(schema=whole, origins=origins, opaque=False, lexical=False, dynamic=False, size=size)
        if len(reached) == len(schema.get("$defs", ())):
            document.keep_patterns(self.patterns)
        return document

    def _is_referring(self, schema: Json) -> bool:
        """Whether it has references and no notes: to definitions at its root, by names that the normal form keeps."""
        return (
            _REFERRING.issuperset(self.names)
            and "$defs" in schema
            and self.text.count(b'"$defs":') == 1
            and not _WITH_A_POINT.search(self.text)
        )

    def measured(self) -> Measure:
        """Its size: as many values as its text has room for, and a depth that no plain schema passes."""
        opened = self.text.count(b"{") + self.text.count(b"[")
        return Measure(
            nodes=1 + opened + self.text.count(b","),
            depth=2 * MAX_LAYERS + DATA_LEVELS,
            characters=len(self.text),
            references=self.text.count(b'"$ref"'),
            longest=MANY_LISTED,
            names=self.names,
        )


def _with_what_is_reached(schema: dict[str, Any]) -> tuple[Json, dict[str, Json]]:
    """The schema without definitions that nothing refers to, and those that are left."""
    whole = {keyword: value for keyword, value in schema.items() if keyword != "$defs"}
    reached, met, names, part = dict[str, Json](), set[str](), list[str](), whole
    while True:
        for name in _TO_DEFINITION.findall(msgspec.json.encode(part).decode()):
            if name not in met:
                met.add(name)
                names.append(name)
        if not names:
            return ({**whole, "$defs": reached} if reached else whole), reached
        # In the order of `normalise`, which some candidates follow.
        name = names.pop()
        part = reached[name] = schema["$defs"][name]


_TO_DEFINITION = re.compile(r'"\$ref":"#/\$defs/([^"]*)"')
_WITH_A_POINT = re.compile(rb'"\$ref":"[^"]*\.')


def plain(schema: Json) -> Plain | None:
    """The schema as plain; None where it is not, or that is not certain."""
    try:
        walk = _Walk()
        names = _walked(schema, walk)
        if names is None:
            return None
        text = msgspec.json.encode(schema)
        return Plain(text, names, tuple(walk.patterns)) if len(text) <= MAX_CHARACTERS else None
    except (TypeError, OverflowError, UnicodeEncodeError):
        # Not JSON: a name that is no text, a lone surrogate. `measure` says what.
        return None


class _Walk:
    """What the walk comes upon: the next layer of subschemas, names of members, references, patterns, data."""

    __slots__ = ("below", "data", "names", "patterns", "references")

    def __init__(self) -> None:
        self.below: list[Json] = []
        self.names: list[str] = []
        self.references: list[str] = []
        self.patterns: list[str] = []
        self.data = 0


def _walked(schema: Json, walk: _Walk) -> set[str] | None:
    """The keywords of a plain schema; raises TypeError for much that is no JSON."""
    if type(schema) is not dict:
        return None
    words: set[str] = set()
    schemas = 0
    layer: list[Json] = [schema]
    if "$schema" in schema:
        if schema["$schema"] != URI[DEFAULT]:
            return None
        words.add("$schema")
        layer = [{keyword: value for keyword, value in schema.items() if keyword != "$schema"}]
    for _ in range(MAX_LAYERS):
        schemas += len(layer)
        if schemas > MAX_SCHEMAS or not _is_plain(layer, words, walk):
            return None
        layer, walk.below = walk.below, []
        if not layer:
            sure = _has_plain_names(walk) and all(leads(schema, to) for to in walk.references)
            return words if sure else None
    return None


def _is_plain(layer: list[Json], words: set[str], walk: _Walk) -> bool:
    """Whether every schema of a layer has plain keywords, and values that the meta-schema takes."""
    shapes, kind, types = _SHAPES, _type, _TYPES
    for schema in layer:
        if type(schema) is not dict:
            if type(schema) is bool:
                continue
            return False
        words.update(schema)
        for keyword, value in schema.items():
            shape = shapes.get(keyword)
            # Half of all keywords.
            if shape is kind and type(value) is str:
                if value not in types:
                    return False
                continue
            if shape is None or not shape(value, walk):
                return False
        # The same list may stand in many places.
        if len(walk.below) > MAX_SCHEMAS or len(walk.names) > MAX_NAMES:
            return False
    return True


def _has_plain_names(walk: _Walk) -> bool:
    """Whether the names of members are texts, and none of them could be taken for a keyword; else raises TypeError."""
    return sum(map(len, walk.names)) <= MAX_CHARACTERS and "$" not in "".join(walk.names)


_Shape = Callable[[Any, _Walk], bool]


def _schema(value: Any, walk: _Walk) -> bool:
    walk.below.append(value)
    return True


def _schemas(value: Any, walk: _Walk) -> bool:
    if type(value) is not list or not value:
        return False
    walk.below += value
    return True


def _map(value: Any, walk: _Walk) -> bool:
    if type(value) is not dict:
        return False
    walk.names += value
    walk.below += value.values()
    return True


def _patterns(value: Any, walk: _Walk) -> bool:
    if type(value) is not dict or not all(type(source) is str and readable(source) for source in value):
        return False
    walk.patterns += value
    walk.below += value.values()
    return True


def _type(value: Any, walk: _Walk) -> bool:
    """Of a list of types; one alone is known where it stands (`_is_plain`)."""
    return type(value) is list and bool(value) and len(set(value)) == len(value) and _TYPES.issuperset(value)


def _names(value: Any, walk: _Walk) -> bool:
    if type(value) is not list or len(set(value)) != len(value):
        return False
    walk.names += value
    return True


def _names_by_name(value: Any, walk: _Walk) -> bool:
    if type(value) is not dict:
        return False
    walk.names += value
    return all(_names(names, walk) for names in value.values())


def _text(value: Any, walk: _Walk) -> bool:
    return type(value) is str and len(value) <= MAX_CHARACTERS


def _pattern(value: Any, walk: _Walk) -> bool:
    walk.patterns.append(value)
    return _text(value, walk) and readable(value)


def _reference(value: Any, walk: _Walk) -> bool:
    walk.references.append(value)
    return _text(value, walk)


def _count(value: Any, walk: _Walk) -> bool:
    return type(value) is int and 0 <= value < _ORDINARY


def _number(value: Any, walk: _Walk) -> bool:
    kind = type(value)
    return (kind is int and -_ORDINARY < value < _ORDINARY) or (
        kind is float and (value == 0 or 1e-9 < abs(value) < _ORDINARY)
    )


def _step(value: Any, walk: _Walk) -> bool:
    return _number(value, walk) and bool(value > 0)


def _flag(value: Any, walk: _Walk) -> bool:
    return type(value) is bool


def _listed(value: Any, walk: _Walk) -> bool:
    if type(value) is not list or not 0 < len(value) <= MANY_LISTED:
        return False
    if _TEXT.issuperset(map(type, value)):
        walk.data += 1 + len(value)
        return walk.data <= MAX_DATA and sum(map(len, value)) <= MAX_CHARACTERS
    return _data(value, walk)


def _data(value: Any, walk: _Walk, level: int = 1) -> bool:
    """Whether a value is JSON, small, and has ordinary numbers alone."""
    kind = type(value)
    walk.data += 1
    if kind is str:
        return len(value) <= MAX_CHARACTERS
    if kind is bool or value is None:
        return True
    if kind is dict:
        walk.names += value
        value = list(value.values())
    elif kind is not list:
        return _number(value, walk)
    if level >= DATA_LEVELS or len(value) > MANY_LISTED or walk.data > MAX_DATA:
        return False
    return all(_data(item, walk, level + 1) for item in value)


_TYPES = frozenset(keywords.TYPES)
_TEXT = frozenset((str,))
_FORM: dict[str, _Shape] = {
    "type": _type,
    "enum": _listed,
    "const": _data,
    "required": _names,
    "dependentRequired": _names_by_name,
    **dict.fromkeys(keywords.NUMBER_BOUNDS, _number),
    **dict.fromkeys(keywords.COUNTS, _count),
    "multipleOf": _step,
    "uniqueItems": _flag,
    "pattern": _pattern,
    "format": _text,
    "properties": _map,
    "patternProperties": _patterns,
    **dict.fromkeys(("additionalProperties", "propertyNames", "items", "contains", "not"), _schema),
    **dict.fromkeys(("prefixItems", "allOf", "anyOf", "oneOf"), _schemas),
}
# What the normal form leaves out, or writes in another way.
_OTHER: dict[str, _Shape] = {
    "$defs": _map,
    "$ref": _reference,
    **dict.fromkeys(("title", "description", "$comment"), _text),
    "default": _data,
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly"), _flag),
}
_SHAPES = {**_FORM, **_OTHER}
_FORM_NAMES = frozenset(_FORM)
_REFERRING = _FORM_NAMES | {"$ref", "$defs"}
