"""Candidate messages of a schema: boundary values of both schemas, one departure at a time from a minimal message.

Law: nothing here is a proof. A candidate is a guess that the validators then confirm or refuse; small candidates come
first, so that the first witness is one that a person can read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.verdict import Json

MAX_DEPTH = 8
MAX_VARIANTS = 24
# Twice this is still a float.
MAX_FLOAT = 1e307
# Longer texts, and larger arrays and objects, are not tried because a schema names their size.
MAX_LENGTH, MAX_COUNT = 5_000, 64
# No longer array is made only to be guessed at: the schema names the length, and may name any.
MAX_ITEMS = 1_000


class Harvest(msgspec.Struct, frozen=True, kw_only=True):
    """Values worth trying, from everything that both schemas name."""

    numbers: tuple[Json, ...]
    strings: tuple[str, ...]
    others: tuple[Json, ...]
    counts: tuple[int, ...]
    names: tuple[str, ...]


def harvest(*schemas: Json) -> Harvest:
    """The constants of the schemas, and what lies just beside each bound."""
    numbers, lengths, counts = {0: None, 1: None, -1: None, 0.5: None}, {0: None}, {0: None, 1: None}
    strings, others, names = {"": None, "a": None}, list[Json](), dict[str, None]()
    written = (inner for root in reversed(schemas) for inner in keywords.schemas(root))
    for keyword, item in itertools.chain.from_iterable(inner.items() for inner in written):
        if keyword in keywords.NUMBER_BOUNDS:
            numbers.update(dict.fromkeys(_beside(item)))
        elif keyword == "multipleOf":
            numbers.update(dict.fromkeys(_around(item)))
        elif keyword in keywords.COUNTS and isinstance(item, int):
            of_text = keywords.TABLE[keyword].about == "string"
            most, counted = (MAX_LENGTH, lengths) if of_text else (MAX_COUNT, counts)
            counted.update(dict.fromkeys(n for n in (item - 1, item, item + 1) if 0 <= n <= most))
        elif keyword in {"const", "enum"}:
            for constant in item if keyword == "enum" else [item]:
                if isinstance(constant, str):
                    strings[constant] = None
                elif _is_number(constant):
                    numbers.update(dict.fromkeys((constant, constant + 1)))
                else:
                    others.append(constant)
        elif keyword in {"required", "properties"}:
            names.update(dict.fromkeys(item))
    strings.update(dict.fromkeys("a" * n for n in lengths))
    strings.update({"A": None, "0": None, "é": None, "a\n": None})
    return Harvest(
        numbers=tuple(sorted(numbers, key=lambda n: (abs(n), n < 0))),
        strings=tuple(strings),
        others=tuple(others),
        counts=tuple(sorted(counts)),
        names=tuple(names)[:64],
    )


def candidates(schema: Json, harvested: Harvest, tick: Callable[[], None] = lambda: None) -> Iterator[Json]:
    """Messages that may fit `schema` (a normal form), smallest departures first."""
    definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    yield from _Candidates(definitions, harvested, tick).values(schema, 0)


class _Candidates:
    def __init__(self, definitions: dict[str, Json], harvested: Harvest, tick: Callable[[], None]) -> None:
        self.definitions, self.harvested, self.tick = definitions, harvested, tick

    def values(self, schema: Json, depth: int) -> Iterator[Json]:
        self.tick()
        if schema is False or depth > MAX_DEPTH:
            return
        if not isinstance(schema, dict):
            yield from ("a", 0, 0.5, True, None, [], {})
            return
        if "const" in schema:
            yield schema["const"]
            return
        if "enum" in schema:
            yield from schema["enum"]
            return
        merged = self.merged(schema, 0)
        for branch in merged.pop("$branches", []) or [None]:
            shape = (
                merged if branch is None else _join(merged, self.merged(branch, 0) if isinstance(branch, dict) else {})
            )
            shape.pop("$branches", None)
            if "const" in shape or "enum" in shape:
                yield from shape.get("enum", [shape.get("const")])
            else:
                yield from self.by_kind(shape, depth)

    def by_kind(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        kinds = schema.get("type", _guess(schema))
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            match kind:
                case "null":
                    yield None
                case "boolean":
                    yield from (True, False)
                case "string":
                    yield from (text for text in self.harvested.strings if _text_fits(schema, text))
                case "integer":
                    yield from (n for n in self.harvested.numbers if n % 1 == 0 and _number_fits(schema, n))
                case "number":
                    yield from (n for n in self.harvested.numbers if _number_fits(schema, n))
                case "array":
                    yield from self.arrays(schema, depth)
                case _:  # "object"
                    yield from self.objects(schema, depth)

    def merged(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """One flat schema for references and `allOf`; the alternatives apart, as `$branches`."""
        self.tick()
        shape = {key: value for key, value in schema.items() if key not in _STRUCTURE}
        parts = [item for item in schema.get("allOf", ()) if isinstance(item, dict)]
        if "$ref" in schema:
            parts.append(self.definitions.get(definition_name(schema["$ref"]), {}))
        if depth < MAX_DEPTH:
            for part in parts:
                if isinstance(part, dict):
                    shape = _join(shape, self.merged(part, depth + 1))
        for keyword in keywords.UNIONS:
            if schema.get(keyword):
                shape["$branches"] = [*shape.get("$branches", []), *schema[keyword]]
        if "if" in schema:
            extra = [schema[key] for key in ("then", "else") if key in schema]
            shape["$branches"] = [*shape.get("$branches", []), *extra]
        return shape

    def arrays(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        prefix, rest = schema.get("prefixItems", []), schema.get("items", True)
        firsts = [next(self.values(item, depth + 1), None) for item in prefix]
        fill = next(self.values(rest, depth + 1), None)
        for count in self.harvested.counts:
            yield (firsts + [fill] * count)[:count] if count >= len(firsts) else firsts[:count]
        yield firsts
        base = int(max(schema.get("minItems", 1), 1))
        for index, item in enumerate(prefix):
            for value in _limited(self.values(item, depth + 1)):
                yield [*firsts[:index], value, *firsts[index + 1 :]]
        variants = list(_limited(self.values(rest, depth + 1)))
        for value in variants if base <= MAX_ITEMS else ():
            yield [*firsts, *[fill] * (base - 1 - len(firsts)), value]
        yield [*firsts, *variants]
        contained = schema.get("contains")
        wanted = int(max(schema.get("minContains", 1), 1))
        if contained is not None and wanted <= MAX_ITEMS:
            for value in _limited(self.values(contained, depth + 1)):
                yield [*firsts, *[value] * wanted]

    def objects(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        declared: dict[str, Json] = schema.get("properties", {})
        required = list(schema.get("required", []))
        open_ = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
        plain = {name: next(self.values(declared.get(name, open_), depth + 1), None) for name in required}
        yield plain
        for name, item in declared.items():
            for value in _limited(self.values(item, depth + 1)):
                yield {**plain, name: value}
        yield {**plain, **{name: next(self.values(item, depth + 1), None) for name, item in declared.items()}}
        if open_ is not False:
            for name in (*self.harvested.names, "extra"):
                if name not in declared:
                    for value in _limited(self.values(open_, depth + 1)):
                        yield {**plain, name: value}


def _limited(values: Iterator[Json]) -> Iterator[Json]:
    for count, value in enumerate(values):
        if count >= MAX_VARIANTS:
            return
        yield value


def _join(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    out = {**left}
    for key, value in right.items():
        if key in {"properties", "patternProperties"}:
            out[key] = {**out.get(key, {}), **value}
        elif key in {"required", "$branches"}:
            out[key] = [*out.get(key, []), *value]
        else:
            out.setdefault(key, value)
    return out


def _guess(schema: dict[str, Any]) -> list[str]:
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties"}:
        return ["object", "null"]
    if schema.keys() & {"items", "prefixItems", "contains", "minItems", "uniqueItems"}:
        return ["array", "null"]
    return ["string", "number", "boolean", "null", "array", "object"]


def _beside(bound: float) -> list[float]:
    """A bound and its neighbours; an integer beyond all floats has whole ones alone."""
    return [bound, bound - 1, bound + 1, *([bound + 0.5] if abs(bound) < MAX_FLOAT else [])]


def _around(step: float) -> list[float]:
    return [step, -step, *([step * 2, step / 2] if abs(step) < MAX_FLOAT else [])]


def _number_fits(schema: dict[str, Any], number: float) -> bool:
    try:
        return _in_bounds(schema, number)
    except OverflowError:
        # The remainder of a float by an integer beyond all floats.
        return False


def _in_bounds(schema: dict[str, Any], number: float) -> bool:
    return bool(
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and number > schema.get("exclusiveMinimum", number - 1)
        and number < schema.get("exclusiveMaximum", number + 1)
        and number % schema.get("multipleOf", number or 1) == 0
    )


def _text_fits(schema: dict[str, Any], text: str) -> bool:
    return bool(schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# What `merged` resolves, or leaves to the validators.
_STRUCTURE = (keywords.IN_PLACE - {"dependentSchemas"}) | {"$ref", "$defs"}
