"""Whether a schema has a message at all: so that nothing is called compatible because it can send nothing.

Law: `inhabited` is True only where a message is certain, `empty` only from a proof; where neither can be told within a
part of the budget, nothing is said, and the verdict that was reached stands.

Three steps, each for what the one before left open: keywords that plainly leave room (no message is made); the smallest
instance, checked by the first validator; the prover, asked for any message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget, OutOfPart, Part
from claude_comm.schema.containment import confirm
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance, minimal_instance
from claude_comm.schema.containment.residual import bare
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.regex.language import watching
from claude_comm.schema.solver.difference import Difference, refute
from claude_comm.schema.solver.result import Unsat
from claude_comm.schema.values import exact
from claude_comm.schema.verdict import Json

# Steps of a search for any message; what takes more is left open.
STEPS = 4_000
MAX_LEVELS = 40
_NOTHING = Document(schema=False, origins={}, opaque=False, lexical=False, dynamic=False)


def is_empty(side: Side, budget: Budget) -> bool:
    """Whether it is proved that no message fits a schema; kept with the schema, once it is known."""
    known = vars(side).get("is_empty")
    if known is None:
        known = vars(side)["is_empty"] = _is_empty(side, budget)
    return bool(known)


def _is_empty(side: Side, budget: Budget) -> bool:
    document = side.document
    if _Rooms(document.definitions).leaves(bare(document.schema), 0):
        return False
    part = Part(budget, STEPS)
    try:
        with watching(part.tick):
            if _has_minimal_instance(side, part):
                return False
            return isinstance(refute(Difference(document, _NOTHING, part), part), Unsat)
    except (OutOfPart, OutOfBudget, RecursionError):
        return False


def _has_minimal_instance(side: Side, part: Budget) -> bool:
    definitions = side.document.definitions

    def solve(schema: Json) -> Json:
        raise NoMinimalInstance

    try:
        message = minimal_instance(bare(side.document.schema), definitions, solve)
    except NoMinimalInstance:
        return False
    return confirm.fits(side, message, part.tick)


class _Rooms:
    """Reads schemas whose keywords leave room for a value, one keyword not depending on another."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions
        self.known: dict[str, bool] = {}

    def leaves(self, schema: Json, level: int) -> bool:
        """Whether there certainly is a value."""
        if not isinstance(schema, dict) or level > MAX_LEVELS:
            return schema is True
        if "$ref" in schema:
            return len(schema) == 1 and self.definition(definition_name(schema["$ref"]), level)
        if "anyOf" in schema:
            return len(schema) == 1 and any(self.leaves(branch, level + 1) for branch in schema["anyOf"])
        if "const" in schema or "enum" in schema:
            return schema.keys() in _LISTED and self.listed(schema)
        kinds = schema.get("type", keywords.KINDS)
        return any(self.of_kind(kind, schema, level) for kind in ([kinds] if isinstance(kinds, str) else kinds))

    def definition(self, name: str, level: int) -> bool:
        """The same of a definition; one that is needed for itself has no value of its own."""
        if name not in self.known:
            self.known[name] = False
            self.known[name] = self.leaves(self.definitions[name], level + 1)
        return self.known[name]

    def listed(self, schema: dict[str, Any]) -> bool:
        """Some listed value, or a text beside `type: string`; other kinds are left to the validator."""
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if len(schema) == 1:
            return bool(values)
        return schema.get("type") == "string" and any(isinstance(value, str) for value in values)

    def of_kind(self, kind: str, schema: dict[str, Any], level: int) -> bool:
        if not schema.keys() <= _UNDERSTOOD[kind]:
            return False
        if kind in ("number", "integer"):
            return _number(schema, whole=kind == "integer")
        if kind == "array":
            return self.array(schema, level)
        if kind == "object":
            return self.object(schema, level)
        return bool(schema.get("minLength", 0) <= schema.get("maxLength", math.inf))

    def array(self, schema: dict[str, Any], level: int) -> bool:
        count = int(schema.get("minItems", 0))
        if count > schema.get("maxItems", math.inf) or (count > 1 and schema.get("uniqueItems")):
            return False
        first = schema.get("prefixItems", ())[:count]
        rest = (schema.get("items", True),) if count > len(first) else ()
        return all(self.leaves(item, level + 1) for item in (*first, *rest))

    def object(self, schema: dict[str, Any], level: int) -> bool:
        names = schema.get("required", ())
        if not schema.get("minProperties", 0) <= len(names) <= schema.get("maxProperties", math.inf):
            return False
        if names and not _ABOUT_NAMES.isdisjoint(schema):
            return False
        declared, further = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(self.leaves(declared.get(name, further), level + 1) for name in names)


def _number(schema: dict[str, Any], *, whole: bool) -> bool:
    """Whether the bounds leave a whole number; `multipleOf` only beside no bounds."""
    bounds = [name for name in keywords.NUMBER_BOUNDS if name in schema]
    if "multipleOf" in schema or not bounds:
        return not bounds
    lows = [exact(schema[name]) for name in bounds if name in keywords.LOWER_BOUNDS]
    highs = [exact(schema[name]) for name in bounds if name in keywords.UPPER_BOUNDS]
    if not lows or not highs:
        return True
    low, high = math.floor(max(lows)) + 1, math.ceil(min(highs)) - 1
    inclusive = "exclusiveMinimum" not in schema and max(lows) <= min(highs) and max(lows).denominator == 1
    inclusive = inclusive and ("exclusiveMaximum" not in schema or max(lows) < min(highs))
    return low <= high or inclusive


_LISTED = ({"const"}, {"enum"}, {"const", "type"}, {"enum", "type"})
# What may ask more of the properties that there are.
_ABOUT_NAMES = frozenset(("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"))
_PLAIN = frozenset(("type", "format"))


def _understood(kind: str) -> frozenset[str]:
    own = "number" if kind == "integer" else kind
    beside = keywords.about(*(other for other in keywords.KINDS if other != own))
    return _PLAIN | frozenset(beside) | _OWN.get(own, frozenset())


# What is understood of a kind; keywords about other kinds say nothing of it.
_OWN = {
    "number": frozenset((*keywords.NUMBER_BOUNDS, "multipleOf")),
    "string": frozenset(("minLength", "maxLength")),
    "array": frozenset(("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    "object": frozenset(
        (*("properties", "required", "additionalProperties", "minProperties", "maxProperties"), *_ABOUT_NAMES)
    ),
}
_UNDERSTOOD: dict[str, frozenset[str]] = {kind: _understood(kind) for kind in keywords.TYPES}
