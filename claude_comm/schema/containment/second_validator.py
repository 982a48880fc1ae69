"""The second validator, `jsonschema`, in three readings: as it is, with exact numbers, and with patterns as meant.

Law: each reading is one that the specification allows. Python compares a float by its binary value and divides it as a
float, where the JSON text denotes a decimal number; and it reads patterns as its own `re` does, where the specification
asks for ECMA-262. What any reading says counts, as long as the first validator says the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from claude_comm.schema import keywords
from claude_comm.schema.containment.rules_alone import RulesAlone, bare
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.regex.errors import LanguageError
from claude_comm.schema.regex.python_source import python_source
from claude_comm.schema.values import exact, key, text
from claude_comm.schema.verdict import Json

Reading: TypeAlias = Literal["as it is", "exact numbers", "patterns as meant"]
# What a library in Rust raises where it gives up: no Exception, and its class cannot be imported.
PANIC = "PanicException"
READINGS: tuple[Reading, ...] = ("as it is", "exact numbers", "patterns as meant")


class _NoSuchReading(Exception):
    """A schema whose patterns cannot be written for Python."""


class SecondValidator:
    """One schema, compiled for each reading when it is first asked for: making costs more than asking."""

    def __init__(self, schema: Json, dialect: Dialect, written: bytes | None = None) -> None:
        self.schema, self._written = schema, text(schema) if written is None else written
        self.dialect: Dialect = dialect
        self._compiled: dict[Reading, Any] = {}

    def says(self, candidate: Json, expected: bool) -> bool:
        """Whether it finds the candidate valid (`expected`) or invalid, in some reading."""
        return self._accepts(candidate, READINGS[0]) is expected or any(
            self._accepts(candidate, reading) is expected for reading in READINGS[1:]
        )

    def _accepts(self, candidate: Json, reading: Reading) -> bool | None:
        # Before the attempt: an import that a signal breaks off in it would fail once more as the attempt is judged.
        unanswered = _unanswered()
        try:
            return bool(self._in(reading).is_valid(candidate))
        except unanswered:
            return None
        except BaseException as error:
            # The limit of recursion, when it is met within one of the maps that `jsonschema` uses, is a panic.
            if type(error).__name__ != PANIC:
                raise
            return None

    def _in(self, reading: Reading) -> Any:
        if reading not in self._compiled:
            exactly, schema, written = reading != "as it is", self.schema, self._written
            if reading == "patterns as meant":
                schema = _with_python_patterns(schema)
                written = text(schema)
            self._compiled[reading] = _made(schema, written, self.dialect, exactly)
        return self._compiled[reading]


@functools.cache
def _unanswered() -> tuple[type[Exception], ...]:
    """What `jsonschema` raises where it has no answer."""
    # Imported here: it costs tens of milliseconds, and only an incompatible pair needs it.
    import jsonschema.exceptions
    import referencing.exceptions

    return (
        RecursionError,
        re.error,
        ArithmeticError,
        # A boolean `items` of 2019-09 beside `unevaluatedItems`, which `jsonschema` asks for its length.
        TypeError,
        jsonschema.exceptions.UndefinedTypeCheck,
        referencing.exceptions.Unresolvable,
        _NoSuchReading,
    )


def _made(schema: Json, written: bytes, dialect: Dialect, exactly: bool) -> Any:
    kind = _class(dialect, exactly)
    if bare(schema, written, dialect):
        return RulesAlone(schema, kind.VALIDATORS, _is_type(dialect))
    return kind(schema, registry=_registry())


def _registry() -> Any:
    """The registry of meta-schemas and nothing else: without it, references would be fetched."""
    import jsonschema.validators

    return jsonschema.validators.SPECIFICATIONS  # pyright: ignore[reportAttributeAccessIssue]


@functools.cache
def _class(dialect: Dialect, exactly: bool) -> Any:
    import jsonschema.validators

    plain = {
        "draft2020-12": jsonschema.Draft202012Validator,
        "draft2019-09": jsonschema.Draft201909Validator,
        "draft7": jsonschema.Draft7Validator,
        "draft6": jsonschema.Draft6Validator,
        "draft4": jsonschema.Draft4Validator,
    }[dialect]
    return jsonschema.validators.extend(plain, _exact_rules(dialect)) if exactly else plain


@functools.cache
def _is_type(dialect: Dialect) -> Callable[[Json, str], bool]:
    """What `jsonschema` says of the type of a value; of values of one class it says the same, but for floats."""
    ask: Callable[[Json, str], bool] = _class(dialect, False).TYPE_CHECKER.is_type
    known: dict[tuple[type, str], bool] = {}

    def is_type(instance: Json, name: str) -> bool:
        said = known.get((instance.__class__, name))
        if said is None:
            said = ask(instance, name)
            if instance.__class__ in _ALIKE:
                known[instance.__class__, name] = said
        return said

    return is_type


_ALIKE = frozenset((str, bool, int, type(None), list, dict))

Rule: TypeAlias = Callable[[Any, Json, Json, Json], Iterator[Exception]]


def _exact_rules(dialect: Dialect) -> dict[str, Rule]:
    def strict(schema: Json, keyword: str) -> bool:
        return dialect == "draft4" and isinstance(schema, dict) and schema.get(keyword) is True

    def at_least(number: Any, limit: Any, schema: Json) -> bool:
        return bool(number > limit if strict(schema, "exclusiveMinimum") else number >= limit)

    def at_most(number: Any, limit: Any, schema: Json) -> bool:
        return bool(number < limit if strict(schema, "exclusiveMaximum") else number <= limit)

    rules = {
        "multipleOf": _comparing(lambda number, limit, _: (number / limit).denominator == 1),
        "minimum": _comparing(at_least),
        "maximum": _comparing(at_most),
        "const": _const,
        "enum": _enum,
    }
    if dialect != "draft4":
        rules["exclusiveMinimum"] = _comparing(lambda number, limit, _: number > limit)
        rules["exclusiveMaximum"] = _comparing(lambda number, limit, _: number < limit)
    return {keyword: rule for keyword, rule in rules.items() if keywords.known(keyword, dialect)}


def _comparing(holds: Callable[[Any, Any, Json], bool]) -> Rule:
    def rule(validator: Any, limit: Json, instance: Json, schema: Json) -> Iterator[Exception]:
        if validator.is_type(instance, "number") and not holds(exact(instance), exact(limit), schema):
            yield _refusal(instance)

    return rule


def _const(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Exception]:
    if key(instance) != key(wanted):
        yield _refusal(instance)


def _enum(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Exception]:
    if key(instance) not in map(key, wanted):
        yield _refusal(instance)


def _refusal(instance: Json) -> Exception:
    import jsonschema

    refusal: Exception = jsonschema.ValidationError(f"{instance!r} is refused")
    return refusal


def _with_python_patterns(schema: Json) -> Json:
    """The schema with each pattern as Python has to be given it; raises `_NoSuchReading`."""
    inner = keywords.schemas(schema) if isinstance(schema, dict) else []
    references = (part[name] for part in inner for name in keywords.REFERENCES if name in part)
    if any("patternProperties" in str(reference) for reference in references):
        # Their names change, and a reference leads to one of them.
        raise _NoSuchReading
    return _rewritten(schema, keywords.data_in(schema))


def _rewritten(schema: Json, data: keywords.Holds) -> Json:
    if not isinstance(schema, dict):
        return schema
    out = {
        name: keywords.mapped(name, value, lambda part: _rewritten(part, data), data) for name, value in schema.items()
    }
    if isinstance(out.get("pattern"), str):
        out["pattern"] = _python(out["pattern"])
    if isinstance(out.get("patternProperties"), dict):
        named = {_python(source): part for source, part in out["patternProperties"].items()}
        if len(named) < len(out["patternProperties"]):
            raise _NoSuchReading
        out["patternProperties"] = named
    return out


def _python(source: str) -> str:
    try:
        return python_source(source)
    except LanguageError:
        raise _NoSuchReading from None
