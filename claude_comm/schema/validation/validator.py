"""Validation of messages: the same rules at run time as in a proof, at microseconds a message.

Law: compiling never reaches for the network or a file, patterns run in linear time, formats are annotations; an
instance that cannot be looked at (too deep, not JSON) is a breach like any other and never an exception.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import jsonschema_rs
import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.cost.path_growth import BEARABLE, ErrorCost, count, error_cost, path_growth
from claude_comm.schema.cost.unevaluated_paths import too_many_paths
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.limits import DEFAULT_CAPS, Caps, measure
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.normalform.validator_dialect import rendered
from claude_comm.schema.pointer import pointer
from claude_comm.schema.validation import memoized
from claude_comm.schema.validation.errors import MAX_REFUSALS, errors, refusals
from claude_comm.schema.validation.memoized import is_json
from claude_comm.schema.validation.phrases import Refusal, actual, need_of, place, subject
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

# A compiled pattern may take this many bytes, as many as the library gives it: what people write is taken
# (`^\p{L}{1,100}$` needs 5 MiB, `^.{1,5000}$` 7), and a bounded repeat of a bounded repeat is refused, not built. Each
# takes tens of milliseconds to build, so a schema of many patterns gets less for each.
PATTERN_BYTES = 10 * 1_048_576
MANY_PATTERNS_BYTES = 4 * 1_048_576
FEW_PATTERNS = 16

# `jsonschema-rs` recurses on the machine's stack: at 100,000 levels it was seen to end the process.
MAX_INSTANCE_DEPTH = 200


# With fewer references no place is looked at more than some thousand times for each subschema.
MANY_REFERENCES = 20


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a message breaks its schema: where in the message, where in the schema, and in words."""

    path: str
    schema_path: str
    rule: str
    sentence: str


class Validator:
    """A compiled schema. `validate` names every breach; `accepts` only answers yes or no, and is the faster one."""

    __slots__ = ("_compiled", "_descends", "_dialect", "_error_cost", "_heavy", "schema")

    def __init__(
        self, schema: Json, compiled: jsonschema_rs.Validator, dialect: Dialect, heavy: Document | None
    ) -> None:
        self.schema, self._compiled, self._heavy = schema, compiled, heavy
        self._dialect: Dialect = dialect
        self._descends: bool | None = None
        self._error_cost: ErrorCost | None = None

    def accepts(self, instance: Json) -> bool:
        """Whether the schema allows `instance`; what cannot be looked at is not allowed."""
        if self._too_deep(instance):
            return False
        if self._heavy is not None and not _bearable(self._heavy, instance):
            return is_json(instance) and memoized.accepts(self._heavy, instance) is True
        try:
            return self._compiled.is_valid(instance)
        except ValueError:
            return False

    def validate(self, instance: Json, *, most: int = MAX_REFUSALS) -> list[Breach]:
        """Every breach up to so many, in the schema's order; empty when the message is allowed.

        Of a message or a schema so large that all of them would take seconds, only the first, or one for the whole.
        """
        if self._too_deep(instance):
            return [_TOO_DEEP]
        if self._heavy is not None and not _bearable(self._heavy, instance):
            return [] if self.accepts(instance) else [_UNNAMED]
        try:
            if self._compiled.is_valid(instance):
                return []
            return [breach(refusal) for refusal in refusals(self._errors(instance), instance, self.schema, most)] or [
                _UNNAMED
            ]
        except ValueError as error:
            # It stops by itself where it compares whole values, at a depth of its own.
            if deeper(instance, MAX_INSTANCE_DEPTH):
                return [_TOO_DEEP]
            return [Breach(path="$", schema_path="", rule="json", sentence=f"the message is not JSON: {_first(error)}")]

    def first(self, instance: Json) -> Breach | None:
        """The first breach; None when the message is allowed. The words for a person take most of a refusal's time."""
        breaches = self.validate(instance, most=1)
        return breaches[0] if breaches else None

    def _too_deep(self, instance: Json) -> bool:
        """Whether validating would follow this instance too far: only a reference that comes back to itself does."""
        if self._descends is None:
            self._descends = descends(self.schema, self._dialect)
        return self._descends and deeper(instance, MAX_INSTANCE_DEPTH)

    def _errors(self, instance: Json) -> Iterable[jsonschema_rs.ValidationError]:
        """The errors of a refused message, as many as can be had within bounds."""
        if self._error_cost is None:
            self._error_cost = error_cost(normalise(self.schema, self._dialect))
        return errors(self._compiled, instance, self._error_cost.named(instance))


def compile_validator(schema: Json, *, default_dialect: Dialect = DEFAULT, caps: Caps = DEFAULT_CAPS) -> Validator:
    """A validator for `schema`; raises `SchemaError` for one that cannot be used."""
    size = measure(schema, caps)
    dialect = dialect_of(schema, default_dialect)
    ready, heavy = compiled(schema, dialect), None
    if size.references > MANY_REFERENCES:
        document = normalise(schema, dialect)
        heavy = document if path_growth(document).visits > BEARABLE else None
    return Validator(schema, ready, dialect, heavy)


def well_formed(schema: Json, *, default_dialect: Dialect = DEFAULT, caps: Caps = DEFAULT_CAPS) -> None:
    """Raises `SchemaError` naming the place where `schema` is not a schema, is over a cap, or points nowhere."""
    compile_validator(schema, default_dialect=default_dialect, caps=caps)


def compiled(
    schema: Json, dialect: Dialect, *, patterns: str = "linear", sure: bool = False
) -> jsonschema_rs.Validator:
    """The engine's own compiled form of a schema that `measure` has passed.

    `patterns="any"` also takes look-around and back-references, with a limit on backtracking: for confirming a
    witness, never for messages from outside. `sure`: `precheck.compiles` said so, and nothing is left to look for.
    """
    # As text it is searched in a tenth of the time that a walk takes.
    if (
        not sure
        and keywords.known("unevaluatedItems", dialect)
        and b'"unevaluated' in text(schema)
        and too_many_paths(schema)
    ):
        raise SchemaError("`unevaluatedProperties` or `unevaluatedItems` above too many paths of references.")
    # A schema that was seen to compile has short patterns alone, each of which compiled on its own.
    size = PATTERN_BYTES if sure or _patterns(schema) <= FEW_PATTERNS else MANY_PATTERNS_BYTES
    options = _linear(size) if patterns == "linear" else _backtracking(size)
    schema, own_keywords = (schema, None) if sure else rendered(schema, dialect)
    try:
        return _CLASSES[dialect](
            schema, validate_formats=False, offline=True, pattern_options=options, keywords=own_keywords
        )
    except jsonschema_rs.ValidationError as error:
        raise SchemaError(_malformed(error), path=pointer(error.instance_path)) from None
    except jsonschema_rs.ReferencingError as error:
        raise SchemaError(f"a reference leads nowhere: {_first(error)}.") from None
    except ValueError as error:
        raise SchemaError(f"it cannot be compiled: {_first(error)}.") from None


def _bearable(heavy: Document, instance: Json) -> bool:
    """Whether `jsonschema-rs` ends soon with this message, though it would not with every message."""
    evaluations = count(heavy, instance)
    return evaluations is not None and evaluations <= BEARABLE


def _patterns(schema: Json) -> int:
    """How many patterns a schema has."""
    if b'"pattern' not in text(schema):
        return 0
    named = (inner.get("patternProperties") for inner in keywords.schemas(schema))
    return text(schema).count(b'"pattern"') + sum(len(names) for names in named if isinstance(names, dict))


def descends(schema: Json, dialect: Dialect) -> bool:
    """Whether validating may follow an instance to any depth: only by a reference that comes back to itself."""
    if all(keywords.REFERENCES.isdisjoint(inner) for inner in keywords.schemas(schema)):
        return False
    document = normalise(schema, dialect)
    return document.dynamic or document.unfolded is None


def deeper(instance: Json, levels: int) -> bool:
    """Whether objects and arrays are nested more than `levels` deep."""
    layer = [instance]
    for _ in range(levels + 1):
        layer = [
            item
            for value in layer
            if isinstance(value, dict | list | tuple)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not layer:
            return False
    return True


def breach(refusal: Refusal) -> Breach:
    """A refusal as a sentence about one message."""
    return Breach(
        path=place(refusal.path),
        schema_path=pointer(refusal.schema_path),
        rule=refusal.rule,
        sentence=_sentence(refusal),
    )


def _sentence(refusal: Refusal) -> str:
    name, rule = subject(refusal.path), refusal.rule
    if rule == "required":
        return f"{subject((*refusal.path, refusal.limit))} is missing"
    if rule in keywords.FURTHER_PROPERTIES and not refusal.need:
        return f"{name} is a property that is not allowed here"
    if rule == "false schema":
        return f"{name} is not allowed here"
    return f"{name} is {actual(rule, refusal.limit, refusal.value)}; it must be {need_of(refusal)}"


def _malformed(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name == "format" and "regex" in str(error.kind.value):
        return "a pattern that is not a regular expression, or needs look-around or back-references."
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Referencing):
        return f"a reference leads nowhere: {_first(error)}."
    for refusal in refusals([error], None, None, limit=1):
        return f"not a schema: {_sentence(refusal)}."
    return f"not a schema: {_first(error)}."


def _first(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")[:200]


@functools.cache
def _linear(size: int) -> jsonschema_rs.RegexOptions:
    return jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=MANY_PATTERNS_BYTES)


@functools.cache
def _backtracking(size: int) -> jsonschema_rs.FancyRegexOptions:
    return jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000, size_limit=size, dfa_size_limit=MANY_PATTERNS_BYTES)


_UNNAMED = Breach(
    path="$",
    schema_path="",
    rule="schema",
    sentence="the message does not fit its schema; the two are too large together to name the place",
)
_TOO_DEEP = Breach(
    path="$", schema_path="", rule="depth", sentence=f"the message is nested more than {MAX_INSTANCE_DEPTH} deep"
)

_CLASSES = {
    "draft2020-12": jsonschema_rs.Draft202012Validator,
    "draft2019-09": jsonschema_rs.Draft201909Validator,
    "draft7": jsonschema_rs.Draft7Validator,
    "draft6": jsonschema_rs.Draft6Validator,
    "draft4": jsonschema_rs.Draft4Validator,
}
