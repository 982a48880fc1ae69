"""Whether keywords plainly leave room for a value: read off them, no message is made and nothing is searched.

Law: "there is room" is certain; "none was seen" says nothing. The value in mind has as little as it may: of an object
the names that are required, of an array the items that there must be. So closing, which takes away only names that
nobody declares or requires, leaves it alone (see `normalform.closing`), and what is seen of a schema as it was written
holds of its closed form as well, where closing marks what is required (`closing.marks_what_is_asked`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.containment.joined import joined
from claude_comm.schema.containment.one_text import one_text
from claude_comm.schema.containment.outlines import Outlines, apart
from claude_comm.schema.containment.whole_bounds import whole_bounds
from claude_comm.schema.kept import kept
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.regex.errors import LanguageError
from claude_comm.schema.regex.language import Language
from claude_comm.schema.values import exact
from claude_comm.schema.verdict import Json

MAX_LEVELS = 40
MAX_STEPS = 4_000
_Schema = dict[str, Any]


class Room:
    """Reads the schemas of one document. `closed`: what is seen is to hold of the closed document as well."""

    def __init__(self, definitions: Mapping[str, Json], *, closed: bool = False) -> None:
        self.definitions, self.closed = definitions, closed
        self._known: dict[str, bool] = {}
        self._steps = MAX_STEPS

    def leaves(self, schema: Json, level: int = 0) -> bool:
        """Whether there certainly is a value."""
        self._steps -= 1
        if not isinstance(schema, dict) or level > MAX_LEVELS or self._steps < 0:
            return schema is True
        if len(schema) == 1 and "type" in schema:
            return bool(schema["type"])
        if "$ref" in schema or "allOf" in schema:
            return self.composed(schema, level)
        if "anyOf" in schema or "oneOf" in schema:
            return any(self.leaves(form, level + 1) for form in self.forms(schema))
        if "const" in schema or "enum" in schema:
            return len(schema) - ("type" in schema) == 1 and _listed(schema)
        kinds = schema.get("type", keywords.KINDS)
        if isinstance(kinds, str):
            return self.of_kind(kinds, schema, level)
        return any(self.of_kind(kind, schema, level) for kind in kinds)

    def composed(self, schema: _Schema, level: int) -> bool:
        """The same of a reference, or of parts that all hold."""
        if "$ref" in schema:
            name = definition_name(schema["$ref"])
            if len(schema) == 1:
                return self.definition(name, level)
            beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            schema = {**beside, "allOf": [self.definitions[name], *schema.get("allOf", ())]}
        whole = joined(schema)
        return self.leaves(whole, level + 1) if whole is not None else one_text(schema) is not None

    def definition(self, name: str, level: int) -> bool:
        """The same of a definition; one that is needed for itself has no value of its own."""
        if name not in self._known:
            self._known[name] = False
            self._known[name] = self.leaves(self.definitions[name], level + 1)
        return self._known[name]

    def forms(self, schema: _Schema) -> Iterator[Json]:
        """Schemas of which each value is one of this schema: a form of a union, with what stands beside the union."""
        keyword = "anyOf" if "anyOf" in schema else "oneOf"
        beside = {name: value for name, value in schema.items() if name != keyword}
        forms = schema[keyword]
        for at, form in enumerate(forms):
            if keyword == "anyOf" or self.alone(at, forms):
                whole = joined({**beside, "allOf": [form]}) if beside else form
                if whole is not None:
                    yield whole

    def alone(self, at: int, forms: list[Json]) -> bool:
        """Whether no value of one form is of another."""
        mine = self.outlines.of(forms[at])
        return all(apart(mine, self.outlines.of(form)) for other, form in enumerate(forms) if other != at)

    @kept
    def outlines(self) -> Outlines:
        return Outlines(self.definitions)

    def of_kind(self, kind: str, schema: _Schema, level: int) -> bool:
        if kind == "string" and "pattern" in schema and "not" in schema:
            return one_text({**schema, "type": "string"}) is not None
        if not _UNDERSTOOD[kind].issuperset(schema) or ("not" in schema and not _outside(kind, schema, schema["not"])):
            return False
        if kind in ("number", "integer"):
            return _number(schema, whole=kind == "integer")
        if kind == "string":
            return _string(schema)
        if kind == "array":
            return self.array(schema, level)
        return kind != "object" or self.object(schema, level)

    def array(self, schema: _Schema, level: int) -> bool:
        count = int(schema.get("minItems", 0))
        if count > schema.get("maxItems", math.inf) or (count > 1 and schema.get("uniqueItems")):
            return False
        first = schema.get("prefixItems", ())[:count]
        rest = (schema.get("items", True),) if count > len(first) else ()
        return all(self.leaves(item, level + 1) for item in (*first, *rest))

    def object(self, schema: _Schema, level: int) -> bool:
        names = _needed(schema)
        few, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        if few > len(names):
            names = self.filled(names, int(few), schema, level)
        if not few <= len(names) <= most:
            return False
        if not _ABOUT_NAMES.isdisjoint(schema) and not all(_may_be_called(name, schema) for name in names):
            return False
        declared, further = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(self.leaves(declared.get(name, further), level + 1) for name in names)

    def filled(self, names: list[str], count: int, schema: _Schema, level: int) -> list[str]:
        """As many names as there must be, where names may be added without more ado."""
        others = [
            name
            for name, inner in schema.get("properties", {}).items()
            if name not in names and _may_be_called(name, schema) and self.leaves(inner, level + 1)
        ]
        if "dependentRequired" in schema:
            return names
        names = [*names, *others[: count - len(names)]]
        free = not self.closed and _ABOUT_NAMES.isdisjoint(schema)
        return [*names, *(f"further {at}" for at in range(count - len(names)))] if free else names


def _listed(schema: _Schema) -> bool:
    """Whether some listed value is of a kind that the schema names."""
    values = [schema["const"]] if "const" in schema else schema["enum"]
    if "type" not in schema:
        return bool(values)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(_kind(value) in kinds for value in values)


def _kind(value: Json) -> str:
    # A number is left open: of which kind it is depends on the dialect.
    return _KIND.get(type(value), "")


_KIND = {bool: "boolean", str: "string", dict: "object", list: "array", type(None): "null"}


def _outside(kind: str, schema: _Schema, refused: Json) -> bool:
    """Whether values of a kind that the schema otherwise takes are certainly left beside those of `refused`."""
    if not isinstance(refused, dict) or len(refused) != 1:
        return False
    if "type" in refused:
        kinds = refused["type"] if isinstance(refused["type"], list) else [refused["type"]]
        return kind not in kinds and not (kind in _NUMBERS and not _NUMBERS.isdisjoint(kinds))
    if refused.keys() <= {"const", "enum"}:
        # Of these there is no end.
        return kind in _ENDLESS and _ENDING.isdisjoint(schema)
    return False


_NUMBERS = frozenset(("number", "integer"))
_ENDLESS = frozenset(("number", "integer", "string"))
_ENDING = frozenset(("maximum", "exclusiveMaximum", "maxLength", "pattern"))


def _number(schema: _Schema, *, whole: bool) -> bool:
    """Whether the bounds leave a multiple, or else a whole number."""
    within = whole_bounds(schema)
    if within is not None:
        return within[0] <= within[1]
    step = Fraction(1)
    if "multipleOf" in schema:
        step = exact(schema["multipleOf"])
        step = Fraction(step.numerator) if whole else step
    bounds = [name for name in keywords.NUMBER_BOUNDS if name in schema]
    if not bounds:
        return True
    lows = [_beyond(schema[name], name, step, math.floor, 1) for name in bounds if name in keywords.LOWER_BOUNDS]
    highs = [_beyond(schema[name], name, step, math.ceil, -1) for name in bounds if name in keywords.UPPER_BOUNDS]
    return not lows or not highs or max(lows) <= min(highs)


def _beyond(limit: Json, name: str, step: Fraction, rounded: Any, sign: int) -> int:
    """The first multiple of a step that is within a bound, in steps."""
    steps = exact(limit) / step
    if steps.denominator == 1 and not name.startswith("exclusive"):
        return steps.numerator
    return int(rounded(steps)) + sign


def _string(schema: _Schema) -> bool:
    low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
    if high is not None and low > high:
        return False
    return "pattern" not in schema or _matched(schema["pattern"], low, None if high is None else int(high))


@functools.lru_cache(maxsize=1_024)
def _matched(pattern: str, low: int, high: int | None) -> bool:
    """Whether some text of such a length matches."""
    language = _language(pattern)
    if language is not None and (low, high) != (0, None):
        language = language & Language.lengths(low, high)
    return language is not None and not language.is_empty()


def _language(pattern: str) -> Language | None:
    try:
        return Language.pattern(pattern, reading="runtime")
    except LanguageError:
        return None


@functools.lru_cache(maxsize=4_096)
def _says(pattern: str, name: str) -> bool | None:
    """Whether a pattern matches a name; None where that is not known."""
    language = _language(pattern)
    return None if language is None else language.accepts(name)


def _needed(schema: _Schema) -> list[str]:
    """The names that an object must have, directly or because of others."""
    names, beside = list(schema.get("required", ())), schema.get("dependentRequired", {})
    for name in names if beside else ():
        names += [other for other in beside.get(name, ()) if other not in names]
    return names


def _may_be_called(name: str, schema: _Schema) -> bool:
    """Whether a property of this name is one of which `properties` and `additionalProperties` say all there is."""
    if any(_says(pattern, name) is not False for pattern in schema.get("patternProperties", ())):
        return False
    rule = schema.get("propertyNames", True)
    if rule is True:
        return True
    if not isinstance(rule, dict) or not rule.keys() <= _OF_NAMES:
        return False
    return rule.get("minLength", 0) <= len(name) <= rule.get("maxLength", math.inf) and (
        "pattern" not in rule or _says(rule["pattern"], name) is True
    )


_OF_NAMES = frozenset(("minLength", "maxLength", "pattern", "format"))
# What may ask more of the properties that there are.
_ABOUT_NAMES = frozenset(("patternProperties", "propertyNames"))
_PLAIN = frozenset(("type", "format", "not"))


def _understood(kind: str) -> frozenset[str]:
    own = "number" if kind == "integer" else kind
    beside = keywords.about(*(other for other in keywords.KINDS if other != own))
    return _PLAIN | frozenset(beside) | _OWN.get(own, frozenset())


# What is understood of a kind; keywords about other kinds say nothing of it.
_OWN = {
    "number": frozenset((*keywords.NUMBER_BOUNDS, "multipleOf")),
    "string": frozenset(keywords.about("string")),
    "array": frozenset(("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    "object": frozenset(
        (
            *("properties", "required", "additionalProperties", "minProperties", "maxProperties", "dependentRequired"),
            *_ABOUT_NAMES,
        )
    ),
}
_UNDERSTOOD: dict[str, frozenset[str]] = {kind: _understood(kind) for kind in keywords.TYPES}
