"""Where two schemas differ, place by place.

Law: every difference between the normal forms is found at the deepest place that shows it, once, together with two
schemas of that place: as it was, and with this one change made. Nothing is judged here.

A place is a value that is described as a whole (the message, a property, an item). What differs inside a composition
(`anyOf`, `oneOf`, `allOf`) is given with the whole place around it, because only there it means something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from claude_comm.schema import keywords
from claude_comm.schema.normalform.closing import original_of
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name, escape, reference_to
from claude_comm.schema.validation.phrases import shown
from claude_comm.schema.values import identity
from claude_comm.schema.verdict import Json

# References that lead to references; a longer chain is compared as it is written.
MAX_CHAIN = 40

# Values of a list that a sentence names.
MAX_LISTED = 8

# Lists in any order.
_UNORDERED = ("type", "enum", "required")


class SchemaEdit(NamedTuple):
    """One difference: where in the message and in the schema, in words, and the place before and after it."""

    path: str
    schema_path: str
    rule: str
    sentence: str
    before: Json
    after: Json


class _Site(NamedTuple):
    """A place on the old side, and how to write it down again with a part of it changed."""

    path: str
    pointer: str
    whole: Json
    rebuild: Callable[[Json], Json]


def differences(old: Document, new: Document) -> Iterator[SchemaEdit]:
    """Every difference, in the order in which a reader of the schemas meets them."""
    return _Comparison(old, new).run()


class Origins:
    """Where the definitions of the two sides were written: their names here are of no use to a reader."""

    def __init__(self, old: Document, new: Document) -> None:
        self.of = {**old.origins, **{_new(name): origin for name, origin in new.origins.items()}}

    def in_text(self, text: str) -> str:
        """A text in which each reference is as it was written."""
        return _REFERENCE.sub(lambda match: "#" + self.origin(match[1]), text)

    def in_pointer(self, pointer: str) -> str:
        """A pointer into a schema of a change, as one into the schema that the change came from."""
        return _DEFINITION.sub(lambda match: self.origin(match[1]), pointer)

    def origin(self, name: str) -> str:
        plain = original_of(name)
        return self.of.get(plain, f"/$defs/{plain.removeprefix(_new(''))}")


_REFERENCE = re.compile(r'#/\$defs/([^"\s]+)')
_DEFINITION = re.compile(r"^/\$defs/([^/]+)")


class _Comparison:
    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = _body(old), _renamed(_body(new))
        self.definitions = {**old.definitions, **{_new(name): _renamed(item) for name, item in new.definitions.items()}}
        self.origins = Origins(old, new)
        self.seen: set[tuple[str, str]] = set()

    def run(self) -> Iterator[SchemaEdit]:
        for edit in self.place(self.old, self.new, "$", ""):
            yield edit._replace(
                sentence=self.origins.in_text(edit.sentence),
                before=self.complete(edit.before),
                after=self.complete(edit.after),
            )

    def complete(self, schema: Json) -> Json:
        return {**schema, "$defs": self.definitions} if isinstance(schema, dict) and self.definitions else schema

    def place(self, old: Json, new: Json, path: str, pointer: str) -> Iterator[SchemaEdit]:
        return self.compare(old, new, _Site(path, pointer, old, lambda schema: schema))

    def compare(self, old: Json, new: Json, site: _Site) -> Iterator[SchemaEdit]:
        if _is_reference(old) and _is_reference(new):
            pair = (old["$ref"], new["$ref"])
            if pair in self.seen:
                return
            self.seen.add(pair)
        old, _ = self.resolved(old, site.pointer)
        new, pointer = self.resolved(new, site.pointer)
        site = site._replace(pointer=pointer)
        if not isinstance(old, dict) or not isinstance(new, dict) or _disjoint(old, new):
            if not self.same(old, new, set()):
                yield _edit(site, "type", _turned(old, new), new)
            return
        old, new = _spread(old), _spread(new)
        yield from self.properties(old, new, site)
        yield from self.inner_places(old, new, site)
        for keyword in keywords.IN_PLACE_LISTS:
            yield from self.branches(keyword, old, new, site)
        yield from self.keywords(old, new, site)

    def resolved(self, schema: Json, pointer: str) -> tuple[Json, str]:
        for _ in range(MAX_CHAIN):
            if not _is_reference(schema):
                break
            name = definition_name(schema["$ref"])
            schema, pointer = self.definitions[name], self.origins.of.get(name, pointer)
        return schema, pointer

    def properties(self, old: dict[str, Any], new: dict[str, Any], site: _Site) -> Iterator[SchemaEdit]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in dict.fromkeys([*before, *after, *old.get("required", ()), *new.get("required", ())]):
            here = site._replace(path=site.path + _member(name), pointer=f"{site.pointer}/properties/{escape(name)}")
            if name in before and name in after:
                yield from self.place(before[name], after[name], here.path, here.pointer)
            elif name in after:
                state = "required" if name in needs else "optional"
                yield _edit(here, "properties", f"`{name}` is new, and {state}", _held(old, name, after[name], needs))
                continue
            elif name in before:
                state = "required" if name in needed else "optional"
                yield _edit(here, "properties", f"`{name}`, which was {state}, is gone", _held(old, name, None, set()))
                continue
            if (name in needed) != (name in needs):
                state = "required" if name in needs else "optional"
                required = sorted(needed | {name} if name in needs else needed - {name})
                here = here._replace(pointer=f"{site.pointer}/required")
                yield _edit(here, "required", f"`{name}` is {state} now", {**old, "required": required})

    def inner_places(self, old: dict[str, Any], new: dict[str, Any], site: _Site) -> Iterator[SchemaEdit]:
        """Items and further properties that both sides describe."""
        for keyword, suffix in (("items", "[*]"), ("additionalProperties", ".*")):
            if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
                yield from self.place(old[keyword], new[keyword], site.path + suffix, f"{site.pointer}/{keyword}")
        if _paired("prefixItems", old, new):
            for at, (left, right) in enumerate(zip(old["prefixItems"], new["prefixItems"], strict=True)):
                yield from self.place(left, right, f"{site.path}[{at}]", f"{site.pointer}/prefixItems/{at}")

    def branches(self, keyword: str, old: dict[str, Any], new: dict[str, Any], site: _Site) -> Iterator[SchemaEdit]:
        """A composition of as many branches as before is compared branch by branch, inside the whole place."""
        if not _paired(keyword, old, new):
            return
        branches = old[keyword]
        for at, (left, right) in enumerate(zip(branches, new[keyword], strict=True)):

            def rebuild(changed: Json, at: int = at) -> Json:
                return site.rebuild({**old, keyword: [*branches[:at], changed, *branches[at + 1 :]]})

            inner = site._replace(pointer=f"{site.pointer}/{keyword}/{at}", rebuild=rebuild)
            yield from self.compare(left, right, inner)

    def keywords(self, old: dict[str, Any], new: dict[str, Any], site: _Site) -> Iterator[SchemaEdit]:
        """What is left: every other keyword that differs, each on its own or with those it belongs to."""
        done = {"properties", "required", "$defs"}
        done |= {keyword for keyword in (*keywords.IN_PLACE_LISTS, "prefixItems") if _paired(keyword, old, new)}
        done |= {
            keyword
            for keyword in ("items", "additionalProperties")
            if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict)
        }
        for keyword in dict.fromkeys([*old, *new]):
            group = next((group for group in keywords.TOGETHER if keyword in group), (keyword,))
            if keyword in done:
                continue
            done |= set(group)
            if all(self.same_keyword(old, new, name) for name in group):
                continue
            changed = {key: value for key, value in old.items() if key not in group}
            changed |= {key: new[key] for key in group if key in new}
            here = site._replace(pointer=f"{site.pointer}/{keyword}")
            yield _edit(here, keyword, _altered(keyword, old, new), changed)

    def same_keyword(self, old: dict[str, Any], new: dict[str, Any], keyword: str) -> bool:
        if (keyword in old) != (keyword in new):
            return False
        if keyword not in old:
            return True
        left, right = old[keyword], new[keyword]
        if keyword in _UNORDERED:
            return _as_set(left) == _as_set(right)
        return self.same(left, right, set())

    def same(self, old: Json, new: Json, assumed: set[tuple[str, str]]) -> bool:
        """Whether both are written alike, through their references.

        Every pair of references is `assumed` alike once it has been met: one difference ends the whole.
        """
        if _is_reference(old) and _is_reference(new):
            pair = (old["$ref"], new["$ref"])
            if pair in assumed:
                return True
            assumed.add(pair)
            left, right = (self.definitions[definition_name(reference)] for reference in pair)
            return self.same(left, right, assumed)
        if isinstance(old, dict) and isinstance(new, dict):
            return old.keys() == new.keys() and all(self.same(old[key], new[key], assumed) for key in old)
        if isinstance(old, list) and isinstance(new, list):
            pairs = zip(old, new, strict=False)
            return len(old) == len(new) and all(self.same(left, right, assumed) for left, right in pairs)
        # JSON equality: 1 is 1.0, and true is not 1.
        return isinstance(old, bool) is isinstance(new, bool) and bool(old == new)


def _body(document: Document) -> Json:
    if not isinstance(document.schema, dict):
        return document.schema
    return {key: value for key, value in document.schema.items() if key != "$defs"}


def _new(name: str) -> str:
    return f"new:{name}"  # no name of a normal form holds a colon


def _renamed(schema: Json) -> Json:
    """A schema of the new side with its references to the new side's definitions."""
    if not isinstance(schema, dict):
        return schema
    out = {keyword: keywords.mapped(keyword, value, _renamed) for keyword, value in schema.items()}
    return {**out, "$ref": reference_to(_new(definition_name(schema["$ref"])))} if "$ref" in schema else out


def _edit(site: _Site, rule: str, sentence: str, changed: Json) -> SchemaEdit:
    return SchemaEdit(site.path, site.pointer, rule, sentence, site.whole, site.rebuild(changed))


def _held(old: dict[str, Any], name: str, schema: Json | None, required: set[str]) -> dict[str, Any]:
    """`old` with the property `name` described by `schema`, or without it (None)."""
    others = {key: value for key, value in old.get("properties", {}).items() if key != name}
    needed = set(old.get("required", ())) - {name} | ({name} & required)
    changed = {**old, "properties": others if schema is None else {**others, name: schema}, "required": sorted(needed)}
    return {key: value for key, value in changed.items() if value or key not in ("properties", "required")}


def _is_reference(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.keys() == {"$ref"}


def _spread(schema: dict[str, Any]) -> dict[str, Any]:
    """A reference beside other keywords, written as one more part of `allOf`: the same by 2020-12."""
    if "$ref" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**rest, "allOf": [*rest.get("allOf", ()), {"$ref": schema["$ref"]}]}


def _paired(keyword: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return keyword in old and keyword in new and len(old[keyword]) == len(new[keyword])


def _disjoint(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether both name their kinds, and none in common."""
    if "type" not in old or "type" not in new:
        return False
    left, right = (
        {"number" if kind == "integer" else kind for kind in ([kinds] if isinstance(kinds, str) else kinds)}
        for kinds in (old["type"], new["type"])
    )
    return not left & right


def _as_set(value: Json) -> set[bytes]:
    return set(map(identity, value if isinstance(value, list) else [value]))


def _turned(old: Json, new: Json) -> str:
    names = [schema.get("type", "a schema") if isinstance(schema, dict) else schema for schema in (old, new)]
    return f"it is {shown(names[1])} now, and was {shown(names[0])}"


def _beyond(values: list[Json], others: list[Json]) -> list[Json]:
    """Those that the others do not have."""
    taken = set(map(identity, others))
    return [value for value in values if identity(value) not in taken]


def _listed(values: list[Json]) -> str:
    more = len(values) - MAX_LISTED
    return ", ".join(map(shown, values[:MAX_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def _altered(keyword: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    if keyword == "enum" and keyword in old and keyword in new:
        gained, lost = _beyond(new["enum"], old["enum"]), _beyond(old["enum"], new["enum"])
        parts = [f"{word} {_listed(values)}" for word, values in (("gained", gained), ("lost", lost)) if values]
        return f"`enum` {' and '.join(parts)}" if parts else "`enum` is written differently"
    if keywords.TABLE[keyword].holds == "list" and keyword in old and keyword in new:
        return f"`{keyword}` has {_counted(new[keyword])} now, and had {len(old[keyword])}"
    if keyword not in new:
        return f"`{keyword}`, which was {shown(old[keyword])}, is gone"
    if keyword not in old:
        return f"`{keyword}` is new: {shown(new[keyword])}"
    return f"`{keyword}` is {shown(new[keyword])} now, and was {shown(old[keyword])}"


def _member(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name, ensure_ascii=False)}]"


def _counted(schemas: list[Json]) -> str:
    return f"{len(schemas)} schema{'s' * (len(schemas) != 1)}"
