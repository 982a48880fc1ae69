"""The image of a schema under an adapter: a schema of the adapted messages.

Law: `image(document, adapter)` accepts at least everything that `apply` makes of the messages that the document
accepts. So a proof that it fits a consumer is a proof for the adapted messages. Where a keyword cannot be followed
through a step it is left out, which only ever widens: the image of an intersection lies within the intersection of the
images, and the image of a union is the union of the images.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.evolution.adapter import (
    INTEGER_TEXT,
    NUMBER_TEXT,
    WRITTEN_INTEGER,
    Adapter,
    Convert,
    Default,
    Drop,
    Place,
    Rename,
    Step,
    Widen,
    Wrap,
    change_at,
    changed,
)
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.regex.language import Language, LanguageError
from claude_comm.schema.verdict import Json

Core: TypeAlias = dict[str, Any]

# References that lead to references while a step is followed to its place; a longer chain is left open.
MAX_CHAIN = 40
# Places that one step may be followed through; branches over branches would multiply, and what is left open is sound.
MAX_VISITS = 2_000

# Keywords that no rule here follows: without them the image is only wider.
_LEFT_OUT = keywords.UNEVALUATED | keywords.IN_PLACE.union(keywords.TOGETHER[1])
# Keywords that say something about a value of one kind, and that every step passes by or knows how to follow.
_FOLLOWED = (
    *("type", "enum", "const"),
    *(name for name in (*keywords.about(*keywords.KINDS), "format") if name not in _LEFT_OUT),
)
_COMPOSING = frozenset((*keywords.IN_PLACE_LISTS, "$ref"))
# Keywords of an object that a change of its names may break, and that no rule here follows.
_ABOUT_NAMES = ("patternProperties", "propertyNames", "dependentRequired")
# Under these a wider part makes a narrower whole, so that what is left out there would no longer be safe.
_TURNING = frozenset(("not", "oneOf", "if", "maxContains"))


def image(document: Document, adapter: Adapter) -> Json | None:
    """A 2020-12 schema of the adapted messages; None where the document holds what no schema can stand for."""
    schema = document.schema
    if (document.opaque or document.lexical) and not all(map(_TURNING.isdisjoint, keywords.schemas(schema))):
        return None
    for step in adapter.steps:
        definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
        out = _Image(step, definitions).of(schema, step.at, 0)
        schema = {**out, "$defs": definitions} if isinstance(out, dict) and definitions else out
    return {"$schema": URI[DEFAULT], **schema} if isinstance(schema, dict) else schema


class _Image:
    """One step, followed from the root to its place through whatever describes the values on the way."""

    def __init__(self, step: Step, definitions: dict[str, Json]) -> None:
        self.step, self.definitions = step, definitions
        self.visits = 0

    def of(self, schema: Json, at: Place, chain: int) -> Json:
        if schema is False:
            return False
        if not isinstance(schema, dict):
            schema = {}
        self.visits += 1
        if chain > MAX_CHAIN or self.visits > MAX_VISITS:
            return True
        core = {key: schema[key] for key in _FOLLOWED if key in schema}
        parts = [self.core(core, at)] if core or not _COMPOSING & schema.keys() else []
        if schema.get("unevaluatedProperties") is False:
            names = self.declared(schema, set())
            if names is not None:
                closed = {"properties": dict.fromkeys(sorted(names), True), "additionalProperties": False}
                parts.append(self.core(closed, at))
        if "$ref" in schema:
            target = self.definitions[definition_name(schema["$ref"])]
            parts.append(self.of(target, at, chain + 1))
        parts += [self.of(item, at, chain) for item in schema.get("allOf", ())]
        # One of them is in particular some of them; and what an `if` guards is one branch or the other.
        parts += [
            {"anyOf": [self.of(item, at, chain) for item in schema[keyword]]}
            for keyword in keywords.UNIONS
            if keyword in schema
        ]
        if "if" in schema and {"then", "else"} <= schema.keys():
            parts.append({"anyOf": [self.of(schema[branch], at, chain) for branch in ("then", "else")]})
        return _all_of(parts)

    def declared(self, schema: Json, seen: set[str]) -> set[str] | None:
        """Every name that some part of a composition declares; None when names are declared by more than a list.

        `seen` are the references followed so far: what one of them declares is counted already.
        """
        if not isinstance(schema, dict):
            return set()
        if schema.get("patternProperties") or "additionalProperties" in schema:
            return None
        if schema.get("unevaluatedProperties", False) is not False:
            return None
        names = set(schema.get("properties", ()))
        inner = list(keywords.in_place({name: item for name, item in schema.items() if name != "not"}))
        reference = schema.get("$ref")
        if reference is not None and reference not in seen:
            seen.add(reference)
            inner.append(self.definitions[definition_name(reference)])
        for item in inner:
            inner_names = self.declared(item, seen)
            if inner_names is None:
                return None
            names |= inner_names
        return names

    def core(self, core: Core, at: Place) -> Json:
        """The image of keywords that stand on their own, without compositions."""
        listed = [core["const"]] if "const" in core else core.get("enum")
        if listed is not None:
            change = functools.partial(changed, self.step)
            return {"enum": [change_at(value, at, change) for value in listed]}
        if not at:
            return _RULES[type(self.step)](self.step, core)
        return self.each_item(core, at[1:]) if at[0] is None else self.property(core, at[0], at[1:])

    def each_item(self, core: Core, deeper: Place) -> Core:
        out = {**core, "items": self.of(core.get("items", True), deeper, 0)}
        out.pop("uniqueItems", None)  # a step may make equal what was not
        if "prefixItems" in core:
            out["prefixItems"] = [self.of(item, deeper, 0) for item in core["prefixItems"]]
        return out

    def property(self, core: Core, name: str, deeper: Place) -> Core:
        out = dict(core)
        if out.pop("patternProperties", None):
            out.pop("additionalProperties", None)
        held = _property(out, name)
        out["properties"] = {**out.get("properties", {}), name: self.of(held, deeper, 0)}
        return out


def _all_of(parts: list[Json]) -> Json:
    if False in parts:
        return False
    held = [part for part in parts if part is not True and part != {}]
    if not held:
        return {}
    return held[0] if len(held) == 1 else {"allOf": held}


def _property(core: Core, name: str) -> Json:
    """The schema of the property `name`, where no pattern of names speaks."""
    return core.get("properties", {}).get(name, core.get("additionalProperties", True))


def _object(core: Core) -> Core:
    """The core with what its rules about names could no longer promise left out."""
    out = {key: value for key, value in core.items() if key not in _ABOUT_NAMES}
    if core.get("patternProperties"):
        out.pop("additionalProperties", None)
        out.pop("properties", None)
    return out


def _with(core: Core, properties: dict[str, Json], *, require: set[str], release: set[str]) -> Core:
    out = {**core, "properties": {**core.get("properties", {}), **properties}}
    required = (set(core.get("required", ())) - release) | require
    out["required"] = sorted(required)
    return out


def _drop(step: Drop, core: Core) -> Core:
    out = _object(core)
    out["minProperties"] = max(core.get("minProperties", 0) - 1, 0)
    if step.when == "always":
        return _with(out, {step.name: False}, require=set(), release={step.name})
    held = _property(out, step.name)
    release = {step.name} if _may_be_null(held) else set[str]()
    return _with(out, {step.name: without_null(held)}, require=set(), release=release)


def _default(step: Default, core: Core) -> Core:
    out, held = _object(core), _property(_object(core), step.name)
    if step.when == "null":
        filled = {"anyOf": [without_null(held), {"const": step.value}]}
        return _with(out, {step.name: filled if _may_be_null(held) else held}, require=set(), release=set())
    if step.name in core.get("required", ()):
        return core
    if "maxProperties" in out:
        out["maxProperties"] += 1
    filled = {"const": step.value} if held is False else {"anyOf": [held, {"const": step.value}]}
    return _with(out, {step.name: filled}, require={step.name}, release=set())


def _rename(step: Rename, core: Core) -> Core:
    out, required = _object(core), set(core.get("required", ()))
    old, new = _property(out, step.name), _property(out, step.to)
    require = {step.to} if step.name in required else set[str]()
    if new is False:
        return _with(out, {step.to: old, step.name: False}, require=require, release={step.name})
    # Both may have been there, and then both still are.
    return _with(out, {step.to: {"anyOf": [old, new]}, step.name: old}, require=require, release={step.name})


def _may_be_null(schema: Json) -> bool:
    return without_null(schema) is not schema


def without_null(schema: Json) -> Json:
    """`schema` and not null; the very same object where it plainly never held null."""
    if isinstance(schema, dict):
        kinds = schema.get("type")
        if isinstance(kinds, str):
            return schema if kinds != "null" else False
        if isinstance(kinds, list):
            return schema if "null" not in kinds else {**schema, "type": [kind for kind in kinds if kind != "null"]}
        listed = [schema["const"]] if "const" in schema else schema.get("enum")
        if listed is not None:
            left = [value for value in listed if value is not None]
            return schema if len(left) == len(listed) else {"enum": left} if left else False
        if schema.keys() == {"anyOf"}:
            return _without_null_branch(schema)
    return False if schema is False else {"allOf": [schema, {"not": {"type": "null"}}]}


def _without_null_branch(schema: Core) -> Json:
    branches = [without_null(branch) for branch in schema["anyOf"]]
    left = [branch for branch in branches if branch is not False]
    if len(left) == 1:
        return left[0]
    return {"anyOf": left} if left else False


def _kinds(core: Core) -> set[str]:
    """The kinds of value that a core lets through, with integers told from other numbers."""
    kinds = core.get("type", list(keywords.KINDS))
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _only(core: Core, kinds: set[str]) -> Json:
    return {**core, "type": sorted(kinds)} if kinds else False


def _wrap(step: Wrap, core: Core) -> Json:
    kinds = _kinds(core)
    alone = _only(core, kinds - {"array"})
    wrapped = {"type": "array", "items": alone, "minItems": 1, "maxItems": 1}
    return _any_of([wrapped if alone is not False else False, _only(core, kinds & {"array"})])


def _any_of(branches: list[Json]) -> Json:
    left = [branch for branch in branches if branch is not False]
    if len(left) == 1:
        return left[0]
    return {"anyOf": left} if left else False


def _widen(step: Widen, core: Core) -> Json:
    kinds = _kinds(core)
    branches: list[Json] = []
    if "boolean" in kinds:
        branches.append({"enum": ["true", "false"]})
    if kinds & {"integer", "number"}:
        branches.append({"type": "string", "pattern": WRITTEN_INTEGER})
    return _any_of([*branches, _only(core, kinds - {"boolean", "integer"})])


def _convert(step: Convert, core: Core) -> Json:
    kinds = _kinds(core)
    if step.to == "string":
        texts = (
            {"type": "string"} if "number" in kinds else _widen(Widen(at=()), _only(core, kinds & {"integer"}) or {})
        )
        branches = [texts if kinds & {"integer", "number"} else False]
        branches.append({"enum": ["true", "false"]} if "boolean" in kinds else False)
        return _any_of([*branches, _only(core, kinds - {"boolean", "integer", "number"})])
    branches = [_read_text(step, core) if "string" in kinds else False]
    if step.to == "integer" and "number" in kinds:
        branches.append(_rounded(core))
        kinds -= {"number", "integer"}
    return _any_of([*branches, _only(core, kinds - {"string"})])


def _rounded(core: Core) -> Core:
    """Every number of `core`, rounded: an integer not far outside the bounds."""
    out: Core = {"type": "integer"}
    lows = [math.floor(core[key]) for key in ("minimum", "exclusiveMinimum") if key in core]
    highs = [math.ceil(core[key]) for key in ("maximum", "exclusiveMaximum") if key in core]
    if lows:
        out["minimum"] = max(lows)
    if highs:
        out["maximum"] = min(highs)
    return out


def _read_text(step: Convert, core: Core) -> Json:
    """Texts read as another kind: all of them when the rules on the text leave no other, else some stay as they are."""
    readable = {
        "integer": INTEGER_TEXT,
        "number": NUMBER_TEXT,
        "boolean": "^(true|false)$",
    }[step.to]
    known = Language.lengths(core.get("minLength", 0), core.get("maxLength"))
    try:
        # A pattern is read as the validator does that will look at the messages.
        if "pattern" in core:
            known &= Language.pattern(core["pattern"], reading="runtime")
        total = Language.pattern(readable).includes(known)
    except LanguageError:
        total = False
    read = {"type": step.to}
    return read if total else {"anyOf": [read, _only(core, {"string"})]}


_RULES: dict[type[Any], Callable[[Any, Core], Json]] = {
    Default: _default,
    Drop: _drop,
    Rename: _rename,
    Wrap: _wrap,
    Widen: _widen,
    Convert: _convert,
}
