"""Messages that a schema may allow, by chance: what a module is held to its own contract with.

Law: pure; chance is an argument. A sample is a guess, which a validator confirms before anybody uses it. Texts are
drawn from their pattern, so that a date or a UUID is met as soon as a word.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.regex import parser
from claude_comm.schema.regex.errors import LanguageError
from claude_comm.schema.verdict import Json

# A number from 0 to below the one that is given.
Choose = Callable[[int], int]

MAX_DEPTH = 6
# What requires itself has no value: below this, none is looked for any more.
_HOPELESS_DEPTH = 4 * MAX_DEPTH
# How many items, members or turns of a loop a sample has more than it must.
_MORE = 3
_WORDS = ("", "a", "0", "é", "text", " ", "\n", "2020-02-29", "A-b_c.d", "\U0001f600")
_NUMBERS = (0, 1, -1, 2, 7, 0.5, -2.5, 100, 1e3, 255, 2**31, 2**53, -(2**63), 2**63 - 1, 1e-7, 1e22)
_ANYTHING: tuple[Json, ...] = (None, True, False, 0, 1.5, "", "a", [], [1], {}, {"a": 1})


def samples(schema: Json, choose: Choose, tick: Callable[[], None] = lambda: None) -> Iterator[Json]:
    """Without end. `tick` is called for each value in a sample, of which there may be very many, and may raise."""
    definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    sampler = Sampler(definitions, choose, tick)
    while True:
        yield sampler.value(schema, 0)


class Sampler:
    def __init__(self, definitions: dict[str, Json], choose: Choose, tick: Callable[[], None] = lambda: None) -> None:
        self.definitions, self.choose, self.tick = definitions, choose, tick

    def one(self, options: Any) -> Any:
        return options[self.choose(len(options))]

    def value(self, schema: Json, depth: int) -> Json:
        self.tick()
        if not isinstance(schema, dict):
            return self.one(_ANYTHING)
        if depth > _HOPELESS_DEPTH:
            return None
        flat = self.flat(schema, 0)
        if "const" in flat:
            return flat["const"]
        if flat.get("enum"):
            return self.one(flat["enum"])
        kinds = flat.get("type") or _kinds(flat)
        return _KINDS[self.one(kinds) if isinstance(kinds, list) else kinds](self, flat, depth)

    def flat(self, schema: dict[str, Any], level: int) -> dict[str, Any]:
        """One schema of a schema, its references and `allOf`, and of one of its alternatives."""
        self.tick()
        parts: list[Json] = list(schema.get("allOf", ()))
        if "$ref" in schema:
            parts.append(self.definitions.get(definition_name(schema["$ref"]), {}))
        parts += [self.one(schema[keyword]) for keyword in ("anyOf", "oneOf") if schema.get(keyword)]
        if "if" in schema:
            parts.append(self.one([{"allOf": [schema["if"], schema.get("then", {})]}, schema.get("else", {})]))
        flat = {keyword: value for keyword, value in schema.items() if keyword not in _STRUCTURE}
        for part in parts:
            if isinstance(part, dict) and level < MAX_DEPTH:
                flat = _joined(flat, self.flat(part, level + 1))
        return flat

    def string(self, schema: dict[str, Any], _depth: int) -> str:
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            try:
                return self.matching(_parsed(pattern))
            except LanguageError:
                return ""
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 20))
        text: str = self.one(_WORDS)
        return (text + "x" * max(least - len(text), 0))[: max(most, 0)]

    def matching(self, node: parser.Node) -> str:
        match node:
            case parser.Set(chars=chars):
                low, high = self.one(chars)
                return chr(self.one((low, high, low + self.choose(high - low + 1))))
            case parser.Sequence(items=items):
                return "".join(map(self.matching, items))
            case parser.Choice(options=options):
                return self.matching(self.one(options))
            case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
                most = minimum + _MORE if maximum is None else min(maximum, minimum + 2 * _MORE)
                return "".join(self.matching(item) for _ in range(minimum + self.choose(most - minimum + 1)))
        return ""

    def number(self, schema: dict[str, Any], _depth: int) -> Json:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        step = schema.get("multipleOf")
        options = [*_NUMBERS, *(bound + beside for bound in (low, high) if bound is not None for beside in (-1, 0, 1))]
        if low is not None and high is not None:
            options = [low, high, (low + high) / 2, low + (high - low) * self.choose(1_000) / 1_000]
        value = self.one(options)
        if step is not None:
            value = round(value / step) * step
        return int(value) if schema.get("type") == "integer" else value

    def integer(self, schema: dict[str, Any], depth: int) -> Json:
        return self.number({**schema, "type": "integer"}, depth)

    def array(self, schema: dict[str, Any], depth: int) -> Json:
        prefix, rest = schema.get("prefixItems", []), schema.get("items", {})
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(prefix) + _MORE)
        count = least + self.choose(max(min(most, max(least, len(prefix)) + _MORE) - least + 1, 1))
        if depth >= MAX_DEPTH:
            count = least
        return [self.value(prefix[at] if at < len(prefix) else rest, depth + 1) for at in range(count)]

    def object(self, schema: dict[str, Any], depth: int) -> Json:
        required = schema.get("required", [])
        members: dict[str, Json] = {}
        for name, member in schema.get("properties", {}).items():
            if name in required or (depth < MAX_DEPTH and self.choose(2)):
                members[name] = self.value(member, depth + 1)
        for name in required:
            members.setdefault(name, None)
        least = max(schema.get("minProperties", 0) - len(members), 0)
        if schema.get("additionalProperties") is not False and depth < MAX_DEPTH:
            for _ in range(least + (self.choose(_MORE) if not members or not self.choose(4) else 0)):
                name = self.value({"type": "string", **_named(schema)}, depth + 1)
                members.setdefault(str(name), self.value(schema.get("additionalProperties", {}), depth + 1))
        return members


@functools.lru_cache(maxsize=64)
def _parsed(pattern: str) -> parser.Node:
    return parser.parse(pattern)


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    names = schema.get("propertyNames", {})
    return names if isinstance(names, dict) else {}


def _kinds(schema: dict[str, Any]) -> list[str]:
    """What a schema without a `type` speaks of."""
    about = {
        "properties": "object",
        "required": "object",
        "items": "array",
        "prefixItems": "array",
        "pattern": "string",
    }
    kinds = [kind for keyword, kind in about.items() if keyword in schema]
    return kinds or ["null", "boolean", "number", "string", "array", "object"]


def _joined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Both, where a sampler can do with one of two: a sample of the other is refused by the validator."""
    joined = {**right, **left}
    for keyword in ("properties", "$defs"):
        if keyword in left and keyword in right:
            joined[keyword] = {**left[keyword], **right[keyword]}
    if "required" in left and "required" in right:
        joined["required"] = [*left["required"], *right["required"]]
    return joined


_STRUCTURE = (keywords.IN_PLACE | {"$ref", "$defs"}) - {"not", "dependentSchemas", "dependencies"}
_KINDS: dict[str, Callable[[Sampler, dict[str, Any], int], Json]] = {
    "null": lambda _sampler, _schema, _depth: None,
    "boolean": lambda sampler, _schema, _depth: bool(sampler.choose(2)),
    "number": Sampler.number,
    "integer": Sampler.integer,
    "string": Sampler.string,
    "array": Sampler.array,
    "object": Sampler.object,
}
