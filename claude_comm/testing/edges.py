"""Messages at the edges of a schema: each boundary of each place, each form of a union, each optional property there
and not there, the empty and the longest, odd text.

Law: pure and in a fixed order, the smallest first. A candidate is a guess; what the schema refuses is left out by the
validator, so that each message that comes out of here is one that the contract allows.

One place departs at a time from the plainest message, and all optional properties are once there together: a handler
that fails at one value of one property is met by one message, and not by chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from claude_comm.errors import EncodeError
from claude_comm.json_form import written
from claude_comm.schema import keywords
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.types.samples import Sampler
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json

# Alternatives of one place, values of one place, and messages of one schema that are tried.
MAX_FORMS, MAX_VALUES, MAX_MESSAGES = 32, 48, 1_500
MAX_DEPTH = 5
# Longer texts and arrays are not made because a schema allows them.
LONG_TEXT, LONG_ARRAY = 1_000, 100
# Text that programs stumble over: letters that change their length with their case, marks that join the one before,
# characters that turn or end a line, that end a word in SQL, HTML or a shell, and numbers that are none.
ODD_TEXT = (
    "", " ", "a", "A", "0", "-1", "1e3", "null", "é", "ß", "İ", "e\u0301", "\u05d0", "\U0001f600", "\u202eabc",
    "\u200b", "\n", "a\tb", "\x00", "'", '"', "<b>&amp;", "%s{}", "../x", "$(x)", "\\", "2020-02-30", "nan",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 10, 255, 2**31, 2**53, -(2**63), 2**63 - 1)
_FRACTIONS = (0.5, -0.5, 1e-7, 1e22, 1.7976931348623157e308)
_ANYTHING: tuple[Json, ...] = (None, False, True, 0, -1, 0.5, "", "\U0001f600", [], [None], {}, {"a": None})


def edges(schema: Json) -> Iterator[Json]:
    """Messages that the schema allows, none twice. Raises SchemaError for one that cannot be used."""
    validator = compile_validator(schema)
    document = normalise(schema, dialect_of(schema))
    guesses = itertools.chain(
        _Edges(dict(document.definitions)).values(document.schema, 0),
        candidates(document.schema, harvest(document.schema)),
    )
    seen: set[bytes] = set()
    for message in itertools.islice(guesses, 4 * MAX_MESSAGES):
        text = msgspec.json.encode(message)
        if text not in seen and validator.accepts(message) and can_travel(message):
            seen.add(text)
            yield message
            if len(seen) >= MAX_MESSAGES:
                return


def can_travel(message: Json) -> bool:
    """Whether a message can be written: what a schema allows may be an integer beyond 64 bits."""
    try:
        written(message)
    except EncodeError:
        return False
    return True


class _Edges:
    def __init__(self, definitions: dict[str, Json]) -> None:
        self.definitions = definitions

    def values(self, schema: Json, depth: int) -> Iterator[Json]:
        if schema is False or depth > MAX_DEPTH:
            return
        if not isinstance(schema, dict):
            yield from _ANYTHING
            return
        for form in itertools.islice(self.forms(schema, 0), MAX_FORMS):
            if "const" in form:
                yield form["const"]
            elif "enum" in form:
                yield from form["enum"]
            else:
                for kind in _kinds(form):
                    yield from _KINDS[kind](self, form, depth)

    def forms(self, schema: dict[str, Any], level: int) -> Iterator[dict[str, Any]]:
        """The schema as one without references and compositions: one for each way through its alternatives."""
        own = {keyword: value for keyword, value in schema.items() if keyword not in _STRUCTURE}
        choices: list[list[Json]] = [[part] for part in schema.get("allOf", ())]
        if "$ref" in schema:
            choices.append([self.definitions.get(definition_name(schema["$ref"]), {})])
        choices += [list(schema[keyword]) for keyword in keywords.UNIONS if schema.get(keyword)]
        if "if" in schema:
            choices.append([{"allOf": [schema["if"], schema.get("then", True)]}, schema.get("else", True)])
        if level > MAX_DEPTH:
            return
        expanded = [
            [form for part in parts for form in (self.forms(part, level + 1) if isinstance(part, dict) else [{}])]
            for parts in choices
        ]
        for picked in itertools.islice(itertools.product(*expanded), MAX_FORMS):
            form = own
            for part in picked:
                form = _joined(form, part)
            yield form

    def strings(self, schema: dict[str, Any], _depth: int) -> Iterator[str]:
        pattern, least = schema.get("pattern"), int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", LONG_TEXT))
        if isinstance(pattern, str):
            yield from self.matching(schema)
        yield from ODD_TEXT
        for length in dict.fromkeys((least, least + 1, min(most, LONG_TEXT), max(min(most, LONG_TEXT) - 1, 0))):
            yield "a" * length
            yield "\U0001f600" * length

    def matching(self, schema: dict[str, Any]) -> Iterator[str]:
        """Texts of a pattern: always the first choice, always the last, and some between."""
        for step in range(_PATTERN_TRIES):
            yield Sampler(self.definitions, _choosing(step)).string(schema, 0)

    def integers(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        return (int(number) for number in self.numbers(schema, depth) if number == int(number))

    def numbers(self, schema: dict[str, Any], _depth: int) -> Iterator[float]:
        step = schema.get("multipleOf", 1)
        bounds = [schema[name] for name in keywords.NUMBER_BOUNDS if isinstance(schema.get(name), int | float)]
        whole = [number * step for number in _NUMBERS] if isinstance(step, int) else []
        yield from (bound + beside * step for bound in bounds for beside in (0, 1, -1))
        yield from (*whole, step, -step)
        yield from (*_FRACTIONS, *(bound + beside for bound in bounds for beside in (0.5, -0.5)))

    def arrays(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        prefix: list[Json] = schema.get("prefixItems", [])
        rest: Json = schema.get("items", True)
        values = list(itertools.islice(self.values(rest, depth + 1), MAX_VALUES))
        firsts = [next(iter(self.values(item, depth + 1)), None) for item in prefix]
        fill = values[0] if values else None
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", LONG_ARRAY))
        for count in dict.fromkeys((least, least + 1, 2, len(firsts), min(most, LONG_ARRAY))):
            yield [*firsts, *[fill] * max(count - len(firsts), 0)][:count]
        yield [*firsts, *values[: max(min(most, LONG_ARRAY) - len(firsts), 0)]]
        padding = [fill] * max(least - len(firsts) - 1, 0)
        for value in values:
            yield [*firsts, *padding, value]
        for index, item in enumerate(prefix):
            for value in itertools.islice(self.values(item, depth + 1), MAX_VALUES):
                yield [*firsts[:index], value, *firsts[index + 1 :]]

    def objects(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        declared: dict[str, Json] = schema.get("properties", {})
        required = dict.fromkeys(schema.get("required", ()))
        others: Json = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
        values = {
            name: list(itertools.islice(self.values(declared.get(name, others), depth + 1), MAX_VALUES))
            for name in [*required, *declared]
        }
        plain = {name: values[name][0] if values[name] else None for name in required}
        bases = [plain] + [
            {name: options[turn % len(options)] for name, options in values.items() if options}
            for turn in range(1, _BASES)
        ]
        yield plain
        whole = {**plain, **{name: options[0] for name, options in values.items() if options}}
        yield whole
        for name in values:
            if name not in required:
                yield {other: value for other, value in whole.items() if other != name}
        # In turns, so that each property is met before one is met in all its values; from several bases, so that a
        # handler which fails at the plainest value of one property is met with the others all the same.
        for row in itertools.zip_longest(*([(name, value) for value in options] for name, options in values.items())):
            for base in bases:
                yield from ({**base, name: value} for name, value in filter(None, row))
        yield from self.named(schema, plain, others, depth)

    def named(self, schema: dict[str, Any], plain: dict[str, Json], others: Json, depth: int) -> Iterator[Json]:
        """With properties that the schema does not name."""
        if others is False:
            return
        names: Json = schema.get("propertyNames", {"type": "string"})
        fitting = ("extra", *ODD_TEXT[:8], *itertools.islice(self.values(names, depth + 1), 8))
        values = list(itertools.islice(self.values(others, depth + 1), 4))
        for name in fitting:
            if isinstance(name, str) and name not in schema.get("properties", {}):
                yield from ({**plain, name: value} for value in values[:1])
        yield from ({**plain, "extra": value} for value in values[1:])


def _choosing(step: int) -> Any:
    """Choices that need no chance: the first, the last, then others by their number."""
    count = itertools.count(step)
    if step < 2:
        return lambda options: 0 if step == 0 else options - 1
    return lambda options: (next(count) * step) % options


def _kinds(schema: dict[str, Any]) -> Iterable[str]:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return [kinds]
    if kinds:
        return list(kinds)
    about = [row.about for name in schema if (row := keywords.TABLE.get(name)) is not None and row.about in _KINDS]
    return dict.fromkeys(about) or _KINDS


def _joined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Both: the narrower bound, the properties of either."""
    joined = {**right, **left}
    for keyword in joined.keys() & left.keys() & right.keys():
        one, other = left[keyword], right[keyword]
        if keyword == "properties":
            joined[keyword] = {**other, **one}
        elif keyword == "required":
            joined[keyword] = [*one, *other]
        elif keyword in keywords.LOWER_BOUNDS or keyword in keywords.UPPER_BOUNDS:
            joined[keyword] = max(one, other) if keyword in keywords.LOWER_BOUNDS else min(one, other)
        elif keyword == "type":
            joined[keyword] = [kind for kind in _listed(one) if kind in _listed(other)] or one
    return joined


def _listed(kinds: Any) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds)


_PATTERN_TRIES = 24
# What each value of a property is tried beside: the plainest message, and some with every property.
_BASES = 4
_STRUCTURE = (keywords.IN_PLACE | {"$ref", "$defs"}) - {"not", "dependentSchemas", "dependencies"}
_KINDS: dict[str, Any] = {
    "null": lambda _edges, _schema, _depth: iter([None]),
    "boolean": lambda _edges, _schema, _depth: iter([False, True]),
    "integer": _Edges.integers,
    "number": _Edges.numbers,
    "string": _Edges.strings,
    "array": _Edges.arrays,
    "object": _Edges.objects,
}
