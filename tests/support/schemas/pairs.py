"""Random pairs of schemas and random messages, small enough that everything meets everything.

Names, numbers and strings come from a handful each, so that keywords of the two sides speak of the same values.
"""

from __future__ import annotations

import copy
import random
from typing import Any

NAMES = ["a", "b", "c", "x-1"]
NUMBERS = [0, 1, 2, 3, 5, 6, 10, -1, 0.5, 1.5, 2.25, -3]
STRINGS = ["", "a", "b", "ab", "abc", "b1", "12", "A", "a\n", "x-1", "é"]
PATTERNS = ["^a", "b$", "^[a-z]+$", "^\\d+$", "^(a|b)*$", "^.{2}$", "[0-9]", "^x-"]
KINDS = ["string", "number", "integer", "boolean", "null", "array", "object"]


class Maker:
    """Schemas of 2020-12 out of one source of chance."""

    def __init__(self, chance: random.Random, *, references: bool = True) -> None:
        self.chance, self.references = chance, references

    def pair(self) -> tuple[Any, Any]:
        """Two schemas: the second is often the first with one thing changed."""
        first = self.document()
        roll = self.chance.random()
        if roll < 0.25:
            return first, self.document()
        second = copy.deepcopy(first)
        for _ in range(1 if roll < 0.7 else 2):
            second = self.changed(second)
        if isinstance(first, dict) and isinstance(second, dict) and "$defs" in first:
            second.setdefault("$defs", first["$defs"])
        return (first, second) if self.chance.random() < 0.5 else (second, first)

    def document(self) -> Any:
        schema = self.schema(3)
        schema = schema if isinstance(schema, dict) else {}
        if self.references and self.chance.random() < 0.5:
            schema["$defs"] = {"n": self.schema(2), "m": self.schema(1)}
        elif self.references:
            schema["$defs"] = {"n": {"type": "string"}, "m": True}
        return schema

    def schema(self, depth: int) -> Any:
        roll = self.chance.random()
        if roll < 0.04:
            return roll < 0.03
        if self.references and roll < 0.10:
            return {"$ref": self.chance.choice(["#/$defs/n", "#/$defs/m"])}
        if depth <= 0 or roll < 0.4:
            return self.scalar()
        maker = self.chance.choice(
            [self.object, self.object, self.object, self.array, self.array, self.union, self.union, self.composed]
        )
        return maker(depth)

    def scalar(self) -> dict[str, Any]:
        pick, chance = self.chance.choice, self.chance
        kind = pick(["string", "string", "number", "integer", "enum", "const", "kinds"])
        if kind == "enum":
            return {"enum": chance.sample([*NUMBERS, *STRINGS, None, True, False, [], {}, [1]], chance.randint(1, 4))}
        if kind == "const":
            return {"const": pick([*NUMBERS, *STRINGS, None, True, [1, 2], {"a": 1}])}
        if kind == "kinds":
            return {"type": chance.sample(KINDS, chance.randint(1, 3))}
        out: dict[str, Any] = {"type": kind} if chance.random() < 0.85 else {}
        if kind == "string":
            self.some(out, minLength=chance.randint(0, 3), maxLength=chance.randint(1, 4), pattern=pick(PATTERNS))
        else:
            self.some(
                out,
                minimum=pick(NUMBERS),
                maximum=pick(NUMBERS),
                exclusiveMinimum=pick(NUMBERS),
                exclusiveMaximum=pick(NUMBERS),
                multipleOf=pick([1, 2, 3, 0.5, 1.5, 0.1]),
            )
        return out

    def some(self, out: dict[str, Any], share: float = 0.25, **keywords: Any) -> None:
        out.update((keyword, value) for keyword, value in keywords.items() if self.chance.random() < share)

    def object(self, depth: int) -> dict[str, Any]:
        chance, inner = self.chance, depth - 1
        out: dict[str, Any] = {"type": "object"} if chance.random() < 0.85 else {}
        names = chance.sample(NAMES, chance.randint(0, 3))
        if names:
            out["properties"] = {name: self.schema(inner) for name in names}
        if chance.random() < 0.6:
            out["required"] = chance.sample(NAMES, chance.randint(0, 2))
        self.some(out, additionalProperties=False)
        self.some(out, 0.12, additionalProperties=self.schema(inner), minProperties=chance.randint(0, 3))
        self.some(out, 0.12, maxProperties=chance.randint(0, 3), propertyNames=self.name_schema())
        self.some(out, 0.12, patternProperties={chance.choice(PATTERNS): self.schema(inner)})
        self.some(out, 0.08, dependentRequired={chance.choice(NAMES): [chance.choice(NAMES)]})
        self.some(out, 0.08, dependentSchemas={chance.choice(NAMES): self.schema(inner)})
        return out

    def name_schema(self) -> Any:
        return self.chance.choice(
            [{"pattern": self.chance.choice(PATTERNS)}, {"maxLength": 1}, {"enum": self.chance.sample(NAMES, 2)}]
        )

    def array(self, depth: int) -> dict[str, Any]:
        chance, inner = self.chance, depth - 1
        out: dict[str, Any] = {"type": "array"} if chance.random() < 0.85 else {}
        self.some(out, 0.6, items=self.schema(inner))
        self.some(out, 0.25, prefixItems=[self.schema(inner) for _ in range(chance.randint(1, 2))])
        self.some(out, 0.3, minItems=chance.randint(0, 3), maxItems=chance.randint(0, 3), uniqueItems=True)
        if chance.random() < 0.25:
            out["contains"] = self.schema(inner)
            self.some(out, 0.3, minContains=chance.randint(0, 2), maxContains=chance.randint(0, 3))
        return out

    def union(self, depth: int) -> dict[str, Any]:
        branches = [self.schema(depth - 1) for _ in range(self.chance.randint(2, 3))]
        return {self.chance.choice(["anyOf", "anyOf", "oneOf"]): branches}

    def composed(self, depth: int) -> Any:
        chance, inner = self.chance, depth - 1
        kind = chance.choice(["allOf", "not", "if", "unevaluatedProperties", "unevaluatedItems"])
        if kind == "allOf":
            return {"allOf": [self.schema(inner) for _ in range(2)]}
        if kind == "not":
            return {**self.scalar(), "not": self.schema(inner)}
        if kind == "if":
            return {"if": self.schema(inner), "then": self.schema(inner), "else": self.schema(inner)}
        if kind == "unevaluatedItems":
            base = {"anyOf": [self.array(inner), self.array(inner)], **self.array(inner)}
        else:
            base = {chance.choice(["anyOf", "allOf", "oneOf"]): [self.object(inner), self.object(inner)]}
            base.update(self.object(inner))
        base.pop("additionalProperties", None)
        return {**base, kind: chance.choice([False, False, self.schema(0)])}

    def changed(self, schema: Any) -> Any:
        """One random subschema replaced, or one keyword dropped or added."""
        if not isinstance(schema, dict) or self.chance.random() < 0.15:
            return self.schema(1) if not isinstance(schema, dict) else {**schema, **_flat(self.schema(1))}
        keys = [key for key in schema if key != "$defs"]
        if not keys:
            return self.schema(1)
        key = self.chance.choice(keys)
        value, out = schema[key], dict(schema)
        if key in {"properties", "patternProperties", "dependentSchemas"} and value:
            name = self.chance.choice(list(value))
            out[key] = {**value, name: self.changed(value[name])}
        elif key in {"anyOf", "oneOf", "allOf", "prefixItems"} and value:
            at = self.chance.randrange(len(value))
            out[key] = [*value[:at], self.changed(value[at]), *value[at + 1 :]]
        elif key in {"items", "not", "if", "then", "else", "contains"}:
            out[key] = self.changed(value)
        elif self.chance.random() < 0.4 and key not in {"$ref", "contains"}:
            del out[key]
        else:
            out.update(_flat(self.scalar() if "type" not in schema else self.like(schema)))
        return out

    def like(self, schema: dict[str, Any]) -> Any:
        match schema.get("type"):
            case "object":
                return self.object(1)
            case "array":
                return self.array(1)
        return self.scalar()


def _flat(schema: Any) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$ref"} if isinstance(schema, dict) else {}


def message(chance: random.Random, depth: int = 3) -> Any:
    """A random message of the same few values."""
    roll = chance.random()
    if depth > 0 and roll < 0.35:
        names = chance.sample([*NAMES, "a", "ab", "12"], chance.randint(0, 4))
        return {name: message(chance, depth - 1) for name in names}
    if depth > 0 and roll < 0.55:
        pool = [message(chance, depth - 1) for _ in range(2)]
        return [chance.choice([*pool, message(chance, depth - 1)]) for _ in range(chance.randint(0, 4))]
    return chance.choice([chance.choice(NUMBERS), chance.choice(STRINGS), None, True, False, 0.1, 0.3, 4, 7.5])


def mutated(chance: random.Random, value: Any, depth: int = 3) -> Any:
    """The same message with one thing changed somewhere."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        if chance.random() < 0.2:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: mutated(chance, value[name], depth - 1)}
    if isinstance(value, dict):
        return {**value, chance.choice(NAMES): message(chance, 1)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], mutated(chance, value[at], depth - 1), *value[at + 1 :]]
    if isinstance(value, list):
        return [*value, message(chance, 1)]
    return message(chance, max(depth, 0))
