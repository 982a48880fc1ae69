"""Schemas as Python types: msgspec Structs, and what msgspec has for the rest.

Law: a type takes every message of its schema, and maybe more. What it cannot say is noted with its place in the schema:
whoever uses the type holds messages to the schema as well.

| schema | type |
| --- | --- |
| an object with `properties` | a Struct; a property that may be missing is `T | UnsetType`, or has its default |
| an object without | `dict[str, T]` |
| an array | `list[T]`, or `tuple[…]` where each position is said |
| `enum` and `const` of texts and integers | `Literal[…]` |
| bounds, lengths, patterns | `Annotated[T, Meta(…)]` |
| alternatives of different kinds | a union; of objects that a constant tells apart, tagged Structs |
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Any

from claude_comm.interchange.imported import Note
from claude_comm.interchange.scaffold.fields import (
    ANY,
    MAX_INTEGER,
    RESERVED,
    field_name,
    is_default,
    is_integer,
    kind_of,
)
from claude_comm.interchange.scaffold.layout import (
    CallExpression,
    Expression,
    call,
    laid_out,
    literal,
    paragraph,
    quoted,
    subscript,
)
from claude_comm.interchange.scaffold.objects import ANNOTATIONS, merged, object_of, tag_of, tag_values
from claude_comm.interchange.scaffold.unions import annotated, kinds_of, union
from claude_comm.registry.contracts import Schema
from claude_comm.schema import keywords
from claude_comm.schema.pointer import escape, follow, pointer, steps
from claude_comm.schema.verdict import Json

_STRING = {"minLength": "min_length", "maxLength": "max_length"}
_NUMBER = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
_SIZES = {
    "array": {"minItems": "min_length", "maxItems": "max_length"},
    "object": {"minProperties": "min_length", "maxProperties": "max_length"},
}
# Negated classes take less in Python than in JSON Schema's dialect, and look-arounds are no linear patterns.
_RISKY = re.compile(r"\\[DWSBpPkcuZAz0-9]|\(\?")


class Types:
    """The classes of one file, and the notes about them. `at` is where the schema of a type stands in its contract."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self.notes: list[Note] = []
        self._taken: set[str] = {"Context", "Module", "Any"}

    def of(self, schema: Schema, name: str, at: str) -> Expression:
        """The type of a whole schema, whose class is called like `name`."""
        return _Reader(self, schema, at).type(schema, name, "#")

    def class_name(self, wanted: str) -> str:
        words = [word for word in re.split(r"[^A-Za-z0-9]+", wanted) if word]
        start = "".join(word[0].upper() + word[1:] for word in words) or "Message"
        start = start if start[0].isalpha() else f"Message{start}"
        name, count = start, 1
        while name in self._taken or keyword.iskeyword(name) or name in RESERVED:
            count += 1
            name = f"{start}{count}"
        self._taken.add(name)
        return name


class _Reader:
    """The types of one schema."""

    def __init__(self, types: Types, root: Schema, at: str) -> None:
        self.types, self.root, self.at = types, root, at
        self.by_place: dict[str, Expression] = {}
        self.open: set[str] = set()

    def note(self, place: str, sentence: str) -> None:
        note = Note(self.at + place.removeprefix("#"), sentence)
        if note not in self.types.notes:
            self.types.notes.append(note)

    def type(self, schema: Json, name: str, place: str) -> Expression:
        if not isinstance(schema, dict):
            if schema is False:
                self.note(place, "no type takes nothing.")
            return ANY
        if "$ref" in schema:
            return self._referred(schema, place)
        if "enum" in schema or "const" in schema:
            return self._constants(schema, place)
        for word in keywords.UNIONS:
            if isinstance(schema.get(word), list):
                return self._alternatives(schema, word, name, place)
        if isinstance(schema.get("allOf"), list):
            return self._all_of(schema, name, place)
        return self._of_kinds(schema, name, place)

    def _of_kinds(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        kinds = schema.get("type")
        if kinds is None:
            self._say_left_out(schema, frozenset(), place, "without `type` it says nothing of values of other types")
            return ANY
        listed = [kinds] if isinstance(kinds, str) else list(kinds)
        said = {word for kind in listed for word in keywords.about("number" if kind == "integer" else kind)}
        handled = frozenset(
            ("type", "properties", "items", "prefixItems", "required", "additionalProperties", "pattern")
        )
        sizes = {*_STRING, *_NUMBER, *(word for words in _SIZES.values() for word in words)}
        self._say_left_out(schema, handled | (sizes & said), place, "no type says it")
        members = [self._kind(kind, schema, name, place) for kind in listed]
        if "integer" in listed and "number" in listed:
            members = [member for kind, member in zip(listed, members, strict=True) if kind != "integer"]
        return self._union(members, place)

    def _kind(self, kind: str, schema: dict[str, Any], name: str, place: str) -> Expression:
        if kind == "string":
            return self._text(schema, place)
        if kind in ("integer", "number"):
            return self._number(kind, schema, place)
        if kind == "array":
            return self._array(schema, name, place)
        if kind == "object":
            return self._object(schema, name, place)
        return {"boolean": "bool", "null": "None"}.get(kind, ANY)

    def _text(self, schema: dict[str, Any], place: str) -> Expression:
        said: dict[str, Expression] = {
            meta: repr(schema[word]) for word, meta in _STRING.items() if isinstance(schema.get(word), int)
        }
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and (_RISKY.search(pattern) or not _compiles(pattern)):
            self.note(f"{place}/pattern", "it may mean less in Python than in JSON Schema.")
        elif isinstance(pattern, str):
            said["pattern"] = quoted(pattern)
        return annotated("str", said)

    def _number(self, kind: str, schema: dict[str, Any], place: str) -> Expression:
        said: dict[str, Expression] = {}
        for word, meta in _NUMBER.items():
            limit = schema.get(word)
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                continue
            fits = abs(limit) <= MAX_INTEGER and (kind == "number" or float(limit).is_integer())
            # A Struct holds either an open or a closed limit on each side.
            clash = {"ge": "gt", "le": "lt", "gt": "ge", "lt": "le"}.get(meta) in said
            if not fits or clash or (word == "multipleOf" and kind == "number"):
                self.note(f"{place}/{word}", "no type says it.")
                continue
            said[meta] = literal(int(limit) if kind == "integer" else limit)
        return annotated("int" if kind == "integer" else "float", said)

    def _array(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        prefix, items = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(items, list):
            prefix, items = items, schema.get("additionalItems", True)
        said: dict[str, Expression] = {
            meta: repr(schema[word]) for word, meta in _SIZES["array"].items() if isinstance(schema.get(word), int)
        }
        if not isinstance(prefix, list):
            return annotated(subscript("list", self.type(items, f"{name} item", f"{place}/items")), said)
        if len(prefix) == schema.get("minItems") and (items is False or schema.get("maxItems") == len(prefix)):
            members = [
                self.type(item, f"{name} {at + 1}", f"{place}/prefixItems/{at}") for at, item in enumerate(prefix)
            ]
            return subscript("tuple", *members) if members else "list[Any]"
        self.note(f"{place}/prefixItems", "no type says it, unless there is one of each, and nothing more.")
        return annotated("list[Any]", said)

    def _object(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        properties = schema.get("properties")
        further = schema.get("additionalProperties", True)
        if (isinstance(properties, dict) and properties) or schema.get("required"):
            return self._class(schema, name, place, {})
        said: dict[str, Expression] = {
            meta: repr(schema[word]) for word, meta in _SIZES["object"].items() if isinstance(schema.get(word), int)
        }
        if further is False:
            said = {"max_length": "0"}
        held = self.type(further, f"{name} value", f"{place}/additionalProperties") if further is not False else ANY
        return annotated(subscript("dict", "str", held), said)

    def _class(self, schema: dict[str, Any], name: str, place: str, tag: dict[str, str]) -> Expression:
        """A Struct; `tag` has the property, and its value, that tell it from others."""
        title = schema.get("title")
        called = self.types.class_name(title if isinstance(title, str) else name)
        self.by_place.setdefault(place, called)
        properties = dict(schema.get("properties") or {})
        required = [key for key in schema.get("required", []) if isinstance(key, str)]
        properties |= {key: True for key in required if key not in properties}
        for word in ("minProperties", "maxProperties"):
            if word in schema:
                self.note(f"{place}/{word}", "no Struct says it.")
        further = schema.get("additionalProperties", True)
        closed = further is False and "patternProperties" not in schema
        if not closed and further not in (True, {}):
            self.note(f"{place}/additionalProperties", "of properties that it does not name a Struct says nothing.")
        options = ["Struct", "kw_only=True"]
        options += ["forbid_unknown_fields=True"] if closed else []
        options += [f"tag_field={quoted(key)}, tag={quoted(value)}" for key, value in tag.items()]
        taken: set[str] = set()
        fields = [
            self._field(key, item, key in required, name, place, taken)
            for key, item in properties.items()
            if key not in tag
        ]
        words = paragraph(schema["description"]) if isinstance(schema.get("description"), str) else ""
        body = [*([f'    """{words}"""'] if words else []), *(["", *fields] if words and fields else fields)]
        head = laid_out(CallExpression(f"class {called}", tuple(("", option) for option in options), "()"), after=1)
        self.types.classes.append(f"{head}:\n" + ("\n".join(body) or "    pass"))
        return called

    def _field(self, name: str, schema: Json, is_required: bool, owner: str, place: str, taken: set[str]) -> str:
        held = self.type(schema, f"{owner} {name}", f"{place}/properties/{escape(name)}")
        own = field_name(name)
        while own in taken:
            own += "_"
        taken.add(own)
        default = "" if is_required else "msgspec.UNSET"
        if not is_required and isinstance(schema, dict) and is_default(schema, held):
            default = str(literal(schema["default"]))
        elif not is_required and held != ANY:
            held = union([held, "msgspec.UnsetType"])
        value: Expression = default
        if own != name:
            named: dict[str, Expression] = {"name": quoted(name)}
            value = call("msgspec.field", **named, **({"default": default} if default else {}))
        start = f"    {own}: "
        flat_value = f" = {laid_out(value)}" if value else ""
        annotation = laid_out(held, indent=1, before=len(start), after=len(flat_value))
        if not value:
            return start + annotation
        last = (start + annotation).rpartition("\n")[2]
        return f"{start}{annotation} = {laid_out(value, indent=1, before=len(last) + 3)}"

    def _referred(self, schema: dict[str, Any], place: str) -> Expression:
        reference = schema["$ref"]
        beside = {word: value for word, value in schema.items() if word not in ANNOTATIONS and word != "$ref"}
        if beside:
            self._say_left_out(beside, frozenset(), place, "beside a reference no type says it")
        if not isinstance(reference, str) or not reference.startswith("#") or (reference[1:2] not in ("", "/")):
            self.note(f"{place}/$ref", "only references to places in the schema itself are read.")
            return ANY
        target = "#" + pointer(steps(reference))
        if target in self.by_place:
            return self.by_place[target]
        if target in self.open:
            self.note(f"{place}/$ref", "it holds itself, and is no object: Python has no such type.")
            return ANY
        try:
            referred = follow(self.root, reference)
        except LookupError:
            return ANY
        self.open.add(target)
        held = self.type(referred, (steps(reference) or ["Message"])[-1], target)
        self.open.discard(target)
        return self.by_place.setdefault(target, held)

    def _constants(self, schema: dict[str, Any], place: str) -> Expression:
        values = [schema["const"]] if "const" in schema else list(schema["enum"])
        kinds = schema.get("type")
        listed = [kinds] if isinstance(kinds, str) else kinds
        # With a type, a value of another is never accepted.
        values = [value for value in values if not listed or kind_of(value) in listed]
        others = frozenset(("type", "enum", "const"))
        self._say_left_out(schema, others, place, "beside constants no type says it")
        plain = [value for value in values if isinstance(value, str) or is_integer(value)]
        rest = [value for value in values if value is not None and not isinstance(value, bool) and value not in plain]
        if rest or not values:
            self.note(place, "only texts, integers, true, false and null can be constants of a type.")
            return ANY
        members: list[Expression] = [subscript("Literal", *map(literal, plain))] if plain else []
        if booleans := [value for value in values if isinstance(value, bool)]:
            members.append("bool")
            if len(set(booleans)) == 1:
                self.note(place, "no type takes only one of true and false.")
        return self._union([*members, *(["None"] if None in values else [])], place)

    def _alternatives(self, schema: dict[str, Any], word: str, name: str, place: str) -> Expression:
        branches = schema[word]
        rest = {other: value for other, value in schema.items() if other not in (word, "type")}
        self._say_left_out(rest, frozenset(), place, "beside alternatives no type says it")
        if (tag := tag_of(self.root, branches)) is not None:
            members: list[Expression] = [
                self._tagged(branch, f"{name} {value}", f"{place}/{word}/{at}", {tag: value})
                for at, (branch, value) in enumerate(zip(branches, tag_values(self.root, branches, tag), strict=True))
            ]
            return self._union(members, place, is_tagged=True)
        if word == "oneOf":
            self.note(f"{place}/oneOf", "a union takes what fits any of them.")
        return self._union(
            [self.type(branch, f"{name} {at + 1}", f"{place}/{word}/{at}") for at, branch in enumerate(branches)], place
        )

    def _tagged(self, branch: Any, name: str, place: str, tag: dict[str, str]) -> Expression:
        schema = object_of(self.root, branch)
        assert schema is not None
        target = place if branch is schema else "#" + pointer(steps(branch["$ref"]))
        return self.by_place[target] if target in self.by_place else self._class(schema, name, target, tag)

    def _all_of(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        rest = {word: value for word, value in schema.items() if word != "allOf"}
        own = rest.keys() - ANNOTATIONS
        parts = [*([rest] if own else []), *schema["allOf"]]
        if (whole := merged(self.root, parts)) is not None:
            return self._class({**rest, **whole}, name, place, {})
        if len(parts) == 1:
            return self.type(parts[0], name, f"{place}/allOf/0")
        self.note(f"{place}/allOf", "what holds together is said by no type, unless it is objects.")
        return ANY

    def _union(self, members: Sequence[Expression], place: str, *, is_tagged: bool = False) -> Expression:
        """A union that msgspec can read: one member a kind of value."""
        distinct: list[Expression] = []
        for member in members:
            if member not in distinct:
                distinct.append(member)
        if ANY in distinct:
            return ANY
        kinds = [kind for member in distinct for kind in kinds_of(member)]
        if len(set(kinds)) < len(kinds) and not is_tagged:
            self.note(place, "alternatives of one kind are no type: it takes anything.")
            return ANY
        return distinct[0] if len(distinct) == 1 else union(distinct)

    def _say_left_out(self, schema: dict[str, Any], said: frozenset[str], place: str, why: str) -> None:
        for word in schema:
            if word not in said and word not in ANNOTATIONS and word in keywords.TABLE and word != "additionalItems":
                self.note(f"{place}/{word}", f"{why}.")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
