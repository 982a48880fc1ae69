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
from collections.abc import Iterator, Sequence
from typing import Any

from claude_comm.interchange.imported import Note
from claude_comm.interchange.scaffold.layout import (
    Call,
    Expression,
    call,
    laid_out,
    literal,
    paragraph,
    quoted,
    subscript,
)
from claude_comm.registry.contracts import Schema
from claude_comm.schema import keywords
from claude_comm.schema.pointer import escape, follow, pointer, steps
from claude_comm.schema.verdict import Json

# What a name in a class would hide from the annotations beside it.
_RESERVED = frozenset(
    "int float str bool list dict tuple msgspec module UNSET handles Any Annotated Literal Meta Struct Union".split()
)
_ANNOTATIONS = frozenset(keywords.names(lambda row: row.role in ("annotation", "identifier", "definitions")))
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
_ANY = "Any"
_MAX_INTEGER = 2**63 - 1


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
        while name in self._taken or keyword.iskeyword(name) or name in _RESERVED:
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
            return _ANY
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
            return _ANY
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
        return {"boolean": "bool", "null": "None"}.get(kind, _ANY)

    def _text(self, schema: dict[str, Any], place: str) -> Expression:
        said: dict[str, Expression] = {
            meta: repr(schema[word]) for word, meta in _STRING.items() if isinstance(schema.get(word), int)
        }
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and (_RISKY.search(pattern) or not _compiles(pattern)):
            self.note(f"{place}/pattern", "it may mean less in Python than in JSON Schema.")
        elif isinstance(pattern, str):
            said["pattern"] = quoted(pattern)
        return _annotated("str", said)

    def _number(self, kind: str, schema: dict[str, Any], place: str) -> Expression:
        said: dict[str, Expression] = {}
        for word, meta in _NUMBER.items():
            limit = schema.get(word)
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                continue
            fits = abs(limit) <= _MAX_INTEGER and (kind == "number" or float(limit).is_integer())
            # A Struct holds either an open or a closed limit on each side.
            clash = {"ge": "gt", "le": "lt", "gt": "ge", "lt": "le"}.get(meta) in said
            if not fits or clash or (word == "multipleOf" and kind == "number"):
                self.note(f"{place}/{word}", "no type says it.")
                continue
            said[meta] = literal(int(limit) if kind == "integer" else limit)
        return _annotated("int" if kind == "integer" else "float", said)

    def _array(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        prefix, items = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(items, list):
            prefix, items = items, schema.get("additionalItems", True)
        said: dict[str, Expression] = {
            meta: repr(schema[word]) for word, meta in _SIZES["array"].items() if isinstance(schema.get(word), int)
        }
        if not isinstance(prefix, list):
            return _annotated(subscript("list", self.type(items, f"{name} item", f"{place}/items")), said)
        if len(prefix) == schema.get("minItems") and (items is False or schema.get("maxItems") == len(prefix)):
            members = [
                self.type(item, f"{name} {at + 1}", f"{place}/prefixItems/{at}") for at, item in enumerate(prefix)
            ]
            return subscript("tuple", *members) if members else "list[Any]"
        self.note(f"{place}/prefixItems", "no type says it, unless there is one of each, and nothing more.")
        return _annotated("list[Any]", said)

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
        held = self.type(further, f"{name} value", f"{place}/additionalProperties") if further is not False else _ANY
        return _annotated(subscript("dict", "str", held), said)

    def _class(self, schema: dict[str, Any], name: str, place: str, tag: dict[str, str]) -> Expression:
        """A Struct; `tag` has the property, and its value, that tell it from others."""
        title = schema.get("title")
        called = self.types.class_name(title if isinstance(title, str) else name)
        self.by_place.setdefault(place, called)
        properties = dict(schema.get("properties") or {})
        required = [one for one in schema.get("required", []) if isinstance(one, str)]
        properties |= {one: True for one in required if one not in properties}
        for word in ("minProperties", "maxProperties"):
            if word in schema:
                self.note(f"{place}/{word}", "no Struct says it.")
        further = schema.get("additionalProperties", True)
        closed = further is False and "patternProperties" not in schema
        if not closed and further not in (True, {}):
            self.note(f"{place}/additionalProperties", "of properties that it does not name a Struct says nothing.")
        options = ["Struct", "kw_only=True"]
        options += ["forbid_unknown_fields=True"] if closed else []
        options += [f"tag_field={quoted(one)}, tag={quoted(value)}" for one, value in tag.items()]
        taken: set[str] = set()
        fields = [
            self._field(one, item, one in required, name, place, taken)
            for one, item in properties.items()
            if one not in tag
        ]
        words = paragraph(schema["description"]) if isinstance(schema.get("description"), str) else ""
        body = [*([f'    """{words}"""'] if words else []), *(["", *fields] if words and fields else fields)]
        head = laid_out(Call(f"class {called}", tuple(("", option) for option in options), "()"), after=1)
        self.types.classes.append(f"{head}:\n" + ("\n".join(body) or "    pass"))
        return called

    def _field(self, name: str, schema: Json, is_required: bool, owner: str, place: str, taken: set[str]) -> str:
        held = self.type(schema, f"{owner} {name}", f"{place}/properties/{escape(name)}")
        own = _field_name(name)
        while own in taken:
            own += "_"
        taken.add(own)
        default = "" if is_required else "msgspec.UNSET"
        if not is_required and isinstance(schema, dict) and _is_default(schema, held):
            default = str(literal(schema["default"]))
        elif not is_required and held != _ANY:
            held = _either([held, "msgspec.UnsetType"])
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
        beside = {word: value for word, value in schema.items() if word not in _ANNOTATIONS and word != "$ref"}
        if beside:
            self._say_left_out(beside, frozenset(), place, "beside a reference no type says it")
        if not isinstance(reference, str) or not reference.startswith("#") or (reference[1:2] not in ("", "/")):
            self.note(f"{place}/$ref", "only references to places in the schema itself are read.")
            return _ANY
        target = "#" + pointer(steps(reference))
        if target in self.by_place:
            return self.by_place[target]
        if target in self.open:
            self.note(f"{place}/$ref", "it holds itself, and is no object: Python has no such type.")
            return _ANY
        try:
            found = follow(self.root, reference)
        except LookupError:
            return _ANY
        self.open.add(target)
        held = self.type(found, (steps(reference) or ["Message"])[-1], target)
        self.open.discard(target)
        return self.by_place.setdefault(target, held)

    def _constants(self, schema: dict[str, Any], place: str) -> Expression:
        values = [schema["const"]] if "const" in schema else list(schema["enum"])
        kinds = schema.get("type")
        listed = [kinds] if isinstance(kinds, str) else kinds
        # With a type, a value of another is never accepted.
        values = [value for value in values if not listed or _kind_of(value) in listed]
        others = frozenset(("type", "enum", "const"))
        self._say_left_out(schema, others, place, "beside constants no type says it")
        plain = [value for value in values if isinstance(value, str) or _is_integer(value)]
        rest = [value for value in values if value is not None and not isinstance(value, bool) and value not in plain]
        if rest or not values:
            self.note(place, "only texts, integers, true, false and null can be constants of a type.")
            return _ANY
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
        if (tag := self._tag(branches)) is not None:
            members: list[Expression] = [
                self._tagged(branch, f"{name} {value}", f"{place}/{word}/{at}", {tag: value})
                for at, (branch, value) in enumerate(zip(branches, self._values(branches, tag), strict=True))
            ]
            return self._union(members, place, is_tagged=True)
        if word == "oneOf":
            self.note(f"{place}/oneOf", "a union takes what fits any of them.")
        return self._union(
            [self.type(branch, f"{name} {at + 1}", f"{place}/{word}/{at}") for at, branch in enumerate(branches)], place
        )

    def _tagged(self, branch: Any, name: str, place: str, tag: dict[str, str]) -> Expression:
        found = self._object_of(branch)
        assert found is not None
        target = place if branch is found else "#" + pointer(steps(branch["$ref"]))
        return self.by_place[target] if target in self.by_place else self._class(found, name, target, tag)

    def _tag(self, branches: Sequence[Any]) -> str | None:
        """The property whose constant tells the alternatives apart, where all of them are objects that have it."""
        objects = [self._object_of(branch) for branch in branches]
        if len(objects) < 2 or any(found is None for found in objects):
            return None
        for name in (objects[0] or {}).get("required", []):
            values = self._values(branches, name)
            if all(isinstance(value, str) for value in values) and len(set(values)) == len(values):
                return str(name)
        return None

    def _values(self, branches: Sequence[Any], name: str) -> list[Any]:
        found = []
        for branch in branches:
            schema = self._object_of(branch) or {}
            held = schema.get("properties", {}).get(name) if name in schema.get("required", []) else None
            listed = held.get("enum", [held.get("const")]) if isinstance(held, dict) else [None]
            found.append(listed[0] if len(listed) == 1 else None)
        return found

    def _object_of(self, schema: Any) -> dict[str, Any] | None:
        """The schema of an object with properties that this is, through references."""
        for _ in range(8):
            if not isinstance(schema, dict):
                return None
            if "$ref" not in schema:
                break
            reference = schema["$ref"]
            if schema.keys() - {"$ref"} - _ANNOTATIONS or not str(reference).startswith("#/"):
                return None
            try:
                schema = follow(self.root, reference)
            except LookupError:
                return None
        whole = (
            isinstance(schema, dict) and schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
        )
        return schema if whole else None

    def _all_of(self, schema: dict[str, Any], name: str, place: str) -> Expression:
        rest = {word: value for word, value in schema.items() if word != "allOf"}
        own = rest.keys() - _ANNOTATIONS
        parts = [*([rest] if own else []), *schema["allOf"]]
        merged = self._merged(parts)
        if merged is not None:
            return self._class({**rest, **merged}, name, place, {})
        if len(parts) == 1:
            return self.type(parts[0], name, f"{place}/allOf/0")
        self.note(f"{place}/allOf", "what holds together is said by no type, unless it is objects.")
        return _ANY

    def _merged(self, parts: Sequence[Any]) -> dict[str, Any] | None:
        """One object of several that share no property; None for what is none."""
        merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            found = self._object_of(part)
            if found is None or found.keys() - {"type", "properties", "required"} - _ANNOTATIONS:
                return None
            if found["properties"].keys() & merged["properties"].keys():
                return None
            merged["properties"] |= found["properties"]
            merged["required"] += found.get("required", [])
        return merged

    def _union(self, members: Sequence[Expression], place: str, *, is_tagged: bool = False) -> Expression:
        """A union that msgspec can read: one member a kind of value."""
        distinct: list[Expression] = []
        for member in members:
            if member not in distinct:
                distinct.append(member)
        if _ANY in distinct:
            return _ANY
        kinds = [kind for member in distinct for kind in _kinds(member)]
        if len(set(kinds)) < len(kinds) and not is_tagged:
            self.note(place, "alternatives of one kind are no type: it takes anything.")
            return _ANY
        return distinct[0] if len(distinct) == 1 else _either(distinct)

    def _say_left_out(self, schema: dict[str, Any], said: frozenset[str], place: str, why: str) -> None:
        for word in schema:
            if word not in said and word not in _ANNOTATIONS and word in keywords.TABLE and word != "additionalItems":
                self.note(f"{place}/{word}", f"{why}.")


def _annotated(base: Expression, said: dict[str, Expression]) -> Expression:
    return subscript("Annotated", base, call("Meta", **said)) if said else base


def _either(members: Sequence[Expression]) -> Expression:
    return subscript("Union", *(argument for member in members for argument in _members(member)))


def _members(member: Expression) -> Iterator[Expression]:
    if isinstance(member, Call) and member.head == "Union":
        yield from (argument for _, argument in member.arguments)
    else:
        yield member


def _kinds(member: Expression) -> Iterator[str]:
    """The kinds of value that a member of a union takes, as msgspec tells them apart."""
    if isinstance(member, Call) and member.head == "Union":
        for _, argument in member.arguments:
            yield from _kinds(argument)
        return
    if isinstance(member, Call) and member.head == "Annotated":
        yield from _kinds(member.arguments[0][1])
        return
    if isinstance(member, Call) and member.head == "Literal":
        yield from {("str" if str(argument)[:1] in "\"'" else "int") for _, argument in member.arguments}
        return
    head = member.head if isinstance(member, Call) else member.partition("[")[0]
    yield {"tuple": "array", "list": "array", "dict": "object"}.get(head, head if head in _PLAIN else "object")


_PLAIN = frozenset(("str", "int", "float", "bool", "None", "msgspec.UnsetType"))


def _field_name(name: str) -> str:
    own = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not own or own[0].isdigit() or own.startswith("_"):
        own = f"field_{own.strip('_')}"
    if own[0].isupper() or keyword.iskeyword(own) or own in _RESERVED:
        own = f"{own[0].lower()}{own[1:]}_"
    return own


def _is_default(schema: dict[str, Any], held: Expression) -> bool:
    """Whether it has a default that is a value of its type, and no list or object."""
    value = schema.get("default", ...)
    if not _is_plain(value):
        return False
    kinds = schema.get("type", [])
    listed = [kinds] if isinstance(kinds, str) else kinds
    kind = _kind_of(value)
    return (
        held == _ANY or kind in listed or (kind == "integer" and "number" in listed) or value in schema.get("enum", [])
    )


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool | float) or _is_integer(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    for type, kind in ((str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object")):
        if isinstance(value, type):
            return kind
    return "null"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
