"""What the parts of a composition say together of the object that they describe: names, and whether forms overlap.

Law: everything here is read off the keywords, references included, and proves nothing: it decides how much closing
takes away, and closing may always take away less.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import Key, key
from claude_comm.schema.verdict import Json

# Keywords in place that test a value: they do not describe it.
TESTS = frozenset(("not", "if"))
_COMPOSING = keywords.IN_PLACE - TESTS
# Forms are compared each with each; more of them are taken to be apart, as forms of large unions are by their tags.
MAX_FORMS = 40
# References that lead to references.
MAX_PARTS = 2_000


def describing(schema: Json) -> Iterator[dict[str, Any]]:
    """The schema and what composes it in place; what stands under `not` and `if` tests, and does not describe."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield value
            if not _COMPOSING.isdisjoint(value):
                stack.extend(keywords.in_place({name: item for name, item in value.items() if name not in TESTS}))


def target(schema: dict[str, Any]) -> str | None:
    reference = schema.get("$ref")
    return None if reference is None else definition_name(reference)


class Form(msgspec.Struct, frozen=True):
    """One form of a union: the kinds that it lets through, the names that it requires, and each name's few values."""

    kinds: frozenset[str]
    required: frozenset[str]
    # Of the required ones that are declared: their kinds, and their values where they are listed.
    members: dict[str, tuple[frozenset[str], frozenset[Key] | None]]


class Forms:
    """Reads the compositions of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def parts(self, schema: Json) -> list[dict[str, Any]]:
        """Every schema that describes the same value in place, through references."""
        parts: list[dict[str, Any]] = []
        seen, pending = set[str](), [schema]
        while pending and len(parts) < MAX_PARTS:
            for part in describing(pending.pop()):
                parts.append(part)
                name = target(part)
                if name is not None and name not in seen:
                    seen.add(name)
                    pending.append(self.document.definitions[name])
        return parts

    def names(self, schemas: Iterable[Json]) -> list[str]:
        """The names that some of the schemas declare."""
        parts = itertools.chain.from_iterable(map(self.parts, schemas))
        return [name for part in parts for name in part.get("properties", ())]

    def patterns(self, schemas: Iterable[Json]) -> list[str]:
        """The patterns of names that some of the schemas declare."""
        parts = itertools.chain.from_iterable(map(self.parts, schemas))
        return [source for part in parts for source in part.get("patternProperties", ())]

    def wants_more(self, schema: dict[str, Any]) -> bool:
        """Whether an object must have more properties than there are names declared for it."""
        if not _asks_for_a_count(schema) and "$ref" not in schema and not keywords.IN_PLACE & schema.keys():
            return False
        parts = self.parts(schema)
        wanted = max((part.get("minProperties", 0) for part in parts), default=0)
        if not wanted or any(part.get("patternProperties") for part in parts):
            return False
        declared = {name for part in parts for name in (*part.get("properties", ()), *part.get("required", ()))}
        return len(declared) < wanted

    def apart(self, forms: list[Json]) -> bool:
        """Whether each form has messages of its own, as far as kinds, required names and their values tell."""
        if len(forms) > MAX_FORMS:
            return True
        read = [self.form(form) for form in forms]
        return all(_leaves(ours, theirs) for ours, theirs in itertools.permutations(read, 2))

    def form(self, schema: Json) -> Form:
        """What holds of every value of a form, for certain: its own keywords, references and `allOf`."""
        kinds, required, properties = frozenset(keywords.TYPES), set[str](), dict[str, Json]()
        for part in self.certain(schema):
            kinds &= _kinds(part)
            required.update(part.get("required", ()))
            properties.update(part.get("properties", {}))
        members = {name: (_kinds(part), _values(part)) for name, part in properties.items() if name in required}
        return Form(kinds, frozenset(required), members)

    def certain(self, schema: Json) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        seen, pending = set[str](), [schema]
        while pending and len(parts) < MAX_PARTS:
            part = pending.pop()
            if not isinstance(part, dict):
                continue
            parts.append(part)
            pending += part.get("allOf", ())
            name = target(part)
            if name is not None and name not in seen:
                seen.add(name)
                pending.append(self.document.definitions[name])
        return parts


def _asks_for_a_count(schema: dict[str, Any]) -> bool:
    return bool(schema.get("minProperties"))


def _leaves(ours: Form, theirs: Form) -> bool:
    """Whether some closed message of one form is certainly none of another's."""
    if not ours.kinds <= theirs.kinds:
        return True
    if not theirs.required <= ours.required:
        return True
    return any(
        _disjoint(*member, *theirs.members[name]) for name, member in ours.members.items() if name in theirs.members
    )


def _disjoint(
    kinds: frozenset[str], values: frozenset[Key] | None, others: frozenset[str], listed: frozenset[Key] | None
) -> bool:
    """Whether two schemas share no value, by their kinds or by their few values."""
    if values is not None and listed is not None:
        return values.isdisjoint(listed)
    return kinds.isdisjoint(others)


def _values(schema: Json) -> frozenset[Key] | None:
    if not isinstance(schema, dict):
        return None
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if listed is None else frozenset(map(key, listed))


def _kinds(schema: Json) -> frozenset[str]:
    """The kinds that a schema names, or whose values it lists; a number may be an integer."""
    if not isinstance(schema, dict):
        return frozenset(keywords.TYPES if schema else ())
    values = _values(schema)
    if values is not None:
        return frozenset(kind for value in values for kind in _KINDS[value[0]])
    kinds = schema.get("type")
    if kinds is None:
        return frozenset(keywords.TYPES)
    names = {*kinds} if isinstance(kinds, list) else {kinds}
    return frozenset(names | ({"integer"} if "number" in names else set()))


# By the first letter of a value's key.
_KINDS: dict[str, tuple[str, ...]] = {
    **{"z": ("null",), "b": ("boolean",), "n": ("number", "integer"), "s": ("string",)},
    **{"a": ("array",), "o": ("object",)},
}
