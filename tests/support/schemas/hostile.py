"""Schemas made to hurt: families of them, each grown by a number."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

Pair = tuple[Any, Any]


def need(name: str, value: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: value}, "required": [name]}


def cnf(n: int, chance: random.Random) -> Pair:
    clauses = [[(chance.randrange(n), chance.random() < 0.5) for _ in range(3)] for _ in range(4 * n)]
    flags = {f"p{i}": {"type": "boolean"} for i in range(n)}
    whole = {"type": "object", "properties": flags, "required": list(flags)}
    picks = [{"anyOf": [{"properties": {f"p{i}": {"const": on}}} for i, on in clause]} for clause in clauses]
    return {**whole, "allOf": picks}, {"type": "string"}


def evil_patterns(n: int, chance: random.Random) -> Pair:
    sources = [
        "^(a+)+$",
        "^(a|a)*b$",
        "^(a|ab|b)*c$",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        f"(a|b)*a(a|b){{{n}}}",
    ]
    one, other = chance.sample(sources, 2)
    return {"type": "string", "pattern": one, "minLength": n}, {"type": "string", "pattern": other}


def long_counts(n: int, chance: random.Random) -> Pair:
    many = n * 40
    return {"type": "string", "pattern": f"^(a{{1,{many}}}){{1,{many}}}$"}, {"type": "string", "maxLength": many}


def many_patterns(n: int, chance: random.Random) -> Pair:
    one = {f"^[a-m]{{{i + 1}}}.*{chr(97 + i % 26)}": {"type": "string"} for i in range(n)}
    return {"type": "object", "patternProperties": one}, {
        "type": "object",
        "patternProperties": {".*z$": {"minLength": 2}},
    }


def doubling(n: int, chance: random.Random) -> Pair:
    keyword = chance.choice(["allOf", "anyOf", "oneOf"])
    defs = {
        f"a{i}": {keyword: [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}", "minimum": i}]}
        for i in range(n)
    }
    defs[f"a{n}"] = {"type": "integer"}
    return {"$defs": defs, "$ref": "#/$defs/a0"}, {"type": "number", "maximum": 3}


def ifs(n: int, chance: random.Random) -> Pair:
    parts = [
        {"if": {"required": [f"a{i}"]}, "then": {"required": [f"b{i}"]}, "else": {"required": [f"c{i}"]}}
        for i in range(n)
    ]
    return {"type": "object", "allOf": parts}, {"type": "object", "required": ["b0"]}


def nested_ifs(n: int, chance: random.Random) -> Pair:
    schema: Any = {"type": "object"}
    for i in range(min(n, 40)):
        schema = {"if": {"required": [f"a{i}"]}, "then": schema, "else": {"allOf": [schema, {"required": [f"b{i}"]}]}}
    return schema, {"minProperties": 2}


def nots(n: int, chance: random.Random) -> Pair:
    pairs = [{"not": {"required": [f"a{i}", f"b{i}"]}} for i in range(n)]
    return {"type": "object", "allOf": pairs}, {"not": {"required": ["a0", "b1"]}}


def one_ofs(n: int, chance: random.Random) -> Pair:
    one = [need(f"p{i}", {"type": "string"}) for i in range(n)]
    return {"oneOf": one}, {"oneOf": [{**branch, "maxProperties": n} for branch in one]}


def products(n: int, chance: random.Random) -> Pair:
    whole = {
        "type": "object",
        "properties": {f"p{i}": {"enum": [0, 1]} for i in range(n)},
        "required": [f"p{i}" for i in range(n)],
    }
    return whole, {"anyOf": [need(f"p{i}", {"const": k}) for i in range(n) for k in (0, 1)][1:]}


def deep(n: int, chance: random.Random) -> Pair:
    schema: Any = {"type": "integer"}
    for _ in range(n * 3):
        schema = {"type": "object", "properties": {"a": schema}} if chance.random() < 0.5 else {"items": schema}
    return schema, schema


def deep_pair(n: int, chance: random.Random) -> Pair:
    one, other = {"type": "integer"}, {"type": "number", "minimum": 0}
    for _ in range(min(n, 45)):
        one, other = need("a", one), need("a", other)
    return one, other


def chain(n: int, chance: random.Random) -> Pair:
    defs: dict[str, Any] = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(n * 20)}
    defs[f"a{n * 20}"] = {"type": "string"}
    return {"$defs": defs, "$ref": "#/$defs/a0"}, {"type": "string", "minLength": 1}


def circle(n: int, chance: random.Random) -> Pair:
    defs = {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{(i + 1) % n}"}, {"type": "null"}]} for i in range(n)}
    return {"$defs": defs, "$ref": "#/$defs/a0"}, {"$defs": {"b": {"not": {"$ref": "#/$defs/b"}}}, "$ref": "#/$defs/b"}


def trees(n: int, chance: random.Random) -> Pair:
    names = [f"f{i}" for i in range(n)]
    tree = {
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/t"} for name in names},
        "required": chance.sample(names, n // 4),
    }
    other = {**tree, "properties": {name: {"$ref": f"#/$defs/{'tu'[i % 2]}"} for i, name in enumerate(names)}}
    return {"$defs": {"t": tree}, "$ref": "#/$defs/t"}, {
        "$defs": {"t": other, "u": {**other, "required": names[:1]}},
        "$ref": "#/$defs/t",
    }


def numbers(n: int, chance: random.Random) -> Pair:
    value = chance.choice([1e999, -1e999, float("nan"), 10 ** (n * 200), 10**300, 1e308, 5e-324, 10**399 + 7])
    return {"type": "number", "minimum": value}, {"type": "number", "multipleOf": chance.choice([3, 1e-300, 7e300])}


def primes(n: int, chance: random.Random) -> Pair:
    odd = [k for k in range(3, 12 * n, 2) if all(k % d for d in range(3, int(k**0.5) + 1, 2))][:n]
    return {"allOf": [{"multipleOf": k} for k in odd], "not": {"multipleOf": 2}, "type": "integer"}, {
        "type": "integer",
        "multipleOf": 4,
    }


def surrogates(n: int, chance: random.Random) -> Pair:
    text = chance.choice(["\ud800", "a" * n + "\udfff", "\ud83d\ude00"])
    return {"enum": [text, "a"]}, chance.choice([{"const": "a"}, {"pattern": "^[\ud800-\udfff]$"}, {"minLength": 1}])


def counted(n: int, chance: random.Random) -> Pair:
    parts = [{"contains": {"type": "integer", "multipleOf": i + 2}, "minContains": i + 1} for i in range(n)]
    return {"type": "array", "allOf": parts, "uniqueItems": True, "maxItems": n}, {"type": "array", "maxItems": 1}


def unevaluated(n: int, chance: random.Random) -> Pair:
    branches = [
        {"properties": {f"p{i}": True}, "patternProperties": {f"^q{i}": True}, "required": [f"p{i}"]} for i in range(n)
    ]
    return {"type": "object", "anyOf": branches, "unevaluatedProperties": False}, {"type": "object", "maxProperties": 1}


def wide(n: int, chance: random.Random) -> Pair:
    one = {f"p{i}": {"type": "string", "maxLength": i} for i in range(n * 60)}
    other = {name: {"type": ["string", "null"], "maxLength": 60 * n} for name in one}
    return {"type": "object", "properties": one}, {"type": "object", "properties": other}


def lists(n: int, chance: random.Random) -> Pair:
    values = [chance.choice([i, str(i), [i], {"a": i}]) for i in range(n * 100)]
    return {"type": "array", "items": {"enum": values}, "uniqueItems": True}, {"type": "array", "maxItems": n * 100 - 1}


def huge(n: int, chance: random.Random) -> Pair:
    return {"description": "x" * (n * 60_000), "type": "string"}, {"enum": ["x" * i for i in range(n * 10)]}


def not_json(n: int, chance: random.Random) -> Pair:
    return chance.choice([{"enum": [object()]}, {1: 2}, {"const": {1, 2}}, [], "x", None, {"minLength": b"1"}]), True


def references(n: int, chance: random.Random) -> Pair:
    target = chance.choice(
        ["http://localhost:1/x", "file:///etc/passwd", "#/nowhere", "urn:x:y", "other.json#/a", "//h/x"]
    )
    return {"properties": {"a": {"$ref": target}}}, {"type": "object"}


FAMILIES: list[Callable[[int, random.Random], Pair]] = [
    cnf, evil_patterns, long_counts, many_patterns, doubling, ifs, nested_ifs, nots, one_ofs, products, deep, deep_pair,
    chain, circle, trees, numbers, primes, surrogates, counted, unevaluated, wide, lists, huge, not_json, references,
]  # fmt: skip


def hostile(count: int, seed: int) -> Iterator[tuple[str, Pair]]:
    """`count` pairs, the families in turn, either way round."""
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        family = FAMILIES[index % len(FAMILIES)]
        size = chance.choice([4, 8, 12, 20, 30, 40])
        pair = family(size, chance)
        yield f"{family.__name__}({size})", pair if chance.random() < 0.6 else (pair[1], pair[0])
