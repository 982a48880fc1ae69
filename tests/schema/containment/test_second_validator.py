"""The second validator reads numbers as decimals and patterns as ECMA-262, where Python's own reading differs."""

from __future__ import annotations

import random
import re
from typing import Any

import jsonschema
import pytest

from claude_comm.schema import Incompatible, Undecided, check
from claude_comm.schema.containment.second_validator import READINGS as READINGS_OF_BOTH
from claude_comm.schema.containment.second_validator import SecondValidator
from claude_comm.schema.regex.errors import InvalidPattern, NotRegular, TooHard
from claude_comm.schema.regex.language import Language
from claude_comm.schema.regex.python_source import python_source
from tests.support.schemas.patterns_at_random import pattern, text

DIALECT = "draft2020-12"


@pytest.mark.long
def test_a_pattern_written_for_python_finds_what_ecma_262_finds() -> None:
    compared = 0
    for index in range(1_500):
        chance = random.Random(index)
        source = pattern(chance)
        try:
            language = Language.pattern(source, reading="ecma")
            found = re.compile(python_source(source))
        except (NotRegular, InvalidPattern, TooHard, re.error):
            continue
        for probe in [text(chance) for _ in range(30)]:
            compared += 1
            assert language.accepts(probe) == bool(found.search(probe)), (source, probe)
    assert compared > 15_000


# A schema that refuses what Python's own reading takes, or the other way round.
READINGS = [
    ({"minimum": 1e23}, 99999999999999991611392, False),
    ({"maximum": 99999999999999991611392}, 1e23, False),
    ({"const": 10**23}, 1e23, True),
    ({"enum": [1, 10**25]}, 1e25, True),
    ({"exclusiveMaximum": 1e300}, 10**300, False),
    ({"multipleOf": 0.01}, 0.07, True),
    ({"pattern": "^\\d$"}, "\u0663", False),
    ({"pattern": "^a$"}, "a\n", False),
    ({"patternProperties": {"^\\p{Lu}": {"type": "integer"}}}, {"Ä": "x"}, False),
]


@pytest.mark.parametrize(("schema", "value", "fits"), READINGS)
def test_what_the_json_text_denotes_is_among_the_readings(schema: object, value: object, fits: bool) -> None:
    assert SecondValidator(schema, DIALECT).says(value, fits)


def test_each_reading_is_asked_by_itself() -> None:
    hundredths, digit = {"multipleOf": 0.01}, {"pattern": "^\\d$"}
    # As it is, 0.07 is no multiple; with exact numbers alone the digit is one of Python.
    assert SecondValidator(hundredths, DIALECT).says(0.07, expected=False)
    both = SecondValidator({"prefixItems": [hundredths, digit]}, DIALECT)
    assert both.says([0.07, "\u0663"], expected=True)


def test_in_no_reading_a_schema_that_is_true_refuses_or_one_that_is_false_accepts() -> None:
    for schema in (True, False):
        second = SecondValidator(schema, DIALECT)
        assert second.says(1, expected=schema)
        assert not second.says(1, expected=not schema)


def test_of_floats_each_is_asked_for_its_own_type() -> None:
    whole = SecondValidator({"items": {"type": "integer"}}, DIALECT)
    for value, fits in (([1.0, 2.0], True), ([1.0, 1.5], False), ([1.5, 1.0], False), ([2.0], True)):
        assert whole.says(value, expected=fits)
        assert not whole.says(value, expected=not fits)


def test_the_bounds_of_draft_4_are_read_with_their_flags() -> None:
    second = SecondValidator({"minimum": 1e23, "exclusiveMinimum": True}, "draft4")
    assert second.says(10**23, False)
    assert second.says(10**23 + 1, True)


PAIRS = [
    ({"exclusiveMinimum": 1e300}, {"maximum": 1000000000000000.2}),
    ({"minimum": 1e25, "type": "integer"}, {"maximum": 2**64}),
    ({"exclusiveMinimum": 1e25}, {"multipleOf": 2**64}),
    ({"const": 2**63}, {"exclusiveMinimum": float(2**63)}),
    ({"type": "string", "pattern": "^\\p{L}{1,9}$"}, {"pattern": "^\\p{L}{1,8}$"}),
    ({"type": "string", "pattern": "^\\u{e9}"}, {"pattern": "^e"}),
    ({"type": "string", "pattern": "^(?<year>[0-9]{4})$"}, {"maxLength": 3}),
]


@pytest.mark.parametrize(("produced", "accepted"), PAIRS)
def test_what_only_python_reads_otherwise_is_a_witness(produced: object, accepted: object) -> None:
    verdict = check(produced, accepted, policy="strict")
    assert isinstance(verdict, Incompatible), verdict


def test_references_into_the_names_of_patterns_leave_the_schema_as_it_is() -> None:
    """The second validator then has its own reading alone."""
    schema = {
        "patternProperties": {"^x$": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/patternProperties/%5Ex$"}},
    }
    assert SecondValidator(schema, DIALECT).says({"a": "no"}, False)
    assert not isinstance(check(schema, {"properties": {"a": {"type": "integer"}}}), Undecided)


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        ({"type": "string"}, {"pattern": "^.*$"}),
        ({"type": "string", "pattern": "^[a\\n]+$"}, {"pattern": "^a*$"}),
        ({"properties": {"k": {"type": "array", "items": {"type": "string"}}}}, {"$ref": "#/$defs/lines"}),
    ],
)
def test_a_witness_ends_in_a_line_feed_only_where_no_other_breaks_the_consumer(produced: Any, accepted: Any) -> None:
    """Python finds `$` before a last line feed as well, so that to its readers such a message may fit."""
    if "$ref" in accepted:
        lines = {"properties": {"k": {"items": {"pattern": "^.*$"}}}}
        accepted = {**accepted, "$defs": {"lines": lines}}
    verdict = check(produced, accepted, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert not jsonschema.Draft202012Validator(accepted).is_valid(verdict.witness)


def test_a_witness_ends_in_a_line_feed_where_there_is_no_other() -> None:
    verdict = check({"type": "string", "pattern": "^a\\n?$"}, {"pattern": "^a$"}, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == "a\n"


def test_a_panic_of_a_library_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `jsonschema` panics where the limit of recursion is met within one of its maps: that is no Exception."""

    class Circle:
        def __init__(self, error: BaseException) -> None:
            self._error = error

        def is_valid(self, _candidate: object) -> bool:
            raise self._error

    validator = SecondValidator({}, DIALECT)
    panic = type("PanicException", (BaseException,), {})
    monkeypatch.setattr(validator, "_in", lambda _reading: Circle(panic("__eq__ failed!")))
    assert not validator.says(1, True)
    monkeypatch.setattr(validator, "_in", lambda _reading: Circle(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        validator.says(1, True)


def test_two_patterns_that_python_reads_as_one_are_read_as_they_are_alone() -> None:
    schema = {"patternProperties": {"^a": {"type": "integer"}, "^[a]": {"minimum": 3}}}
    second = SecondValidator(schema, DIALECT)
    assert not second.says({"a": 1}, True)
    assert second.says({"a": 1}, False)


@pytest.mark.parametrize(
    ("schema", "value"), [({"const": 1e23}, 99999999999999991611392), ({"enum": [1e23]}, 99999999999999991611392)]
)
def test_a_listed_decimal_is_not_the_integer_that_its_float_is(schema: object, value: object) -> None:
    assert SecondValidator(schema, DIALECT).says(value, False)


def test_a_reference_to_a_schema_under_a_pattern_has_no_reading_with_other_patterns() -> None:
    schema = {"$ref": "#/patternProperties/%5Ea", "patternProperties": {"^a": {"type": "object"}}}
    assert SecondValidator(schema, DIALECT).says({}, True)
    assert not SecondValidator(schema, DIALECT).says({}, False)


READINGS_OF_NUMBERS = [reading for reading in READINGS_OF_BOTH if reading != "as it is"]
# The dialect, a schema, what it takes and what it refuses, with every number as its decimals say.
EXACT: list[tuple[str, dict[str, Any], list[Any], list[Any]]] = [
    ("draft4", {"maximum": 3}, [3, 2, "a"], [4]),
    ("draft4", {"maximum": 3, "exclusiveMaximum": True}, [2], [3, 4]),
    ("draft4", {"maximum": 3, "exclusiveMaximum": False}, [3], [4]),
    ("draft4", {"minimum": 3}, [3, 4], [2]),
    ("draft4", {"minimum": 3, "exclusiveMinimum": True}, [4], [3, 2]),
    (DIALECT, {"maximum": 0.3}, [0.3, -1], [0.4]),
    (DIALECT, {"minimum": 0.3}, [0.3, 1], [0.2]),
    (DIALECT, {"exclusiveMinimum": 3}, [3.5], [3, 2]),
    (DIALECT, {"exclusiveMaximum": 3}, [2.5], [3, 4]),
    (DIALECT, {"multipleOf": 0.01}, [0.07, 0], [0.075]),
    (DIALECT, {"const": 1}, [1, 1.0], [True, 2]),
    (DIALECT, {"enum": [1, "a"]}, [1, "a"], [True, "b"]),
]


@pytest.mark.parametrize(("dialect", "schema", "taken", "refused"), EXACT, ids=range(len(EXACT)))
def test_numbers_are_compared_as_decimals(dialect: Any, schema: Any, taken: list[Any], refused: list[Any]) -> None:
    validator = SecondValidator(schema, dialect)
    for reading in READINGS_OF_NUMBERS:
        assert [value for value in [*taken, *refused] if validator._accepts(value, reading)] == taken


def test_only_what_reads_patterns_needs_them_written_for_python() -> None:
    """A name that a reference leads to cannot be written anew; without such a reference it can."""
    named: dict[str, Any] = {"patternProperties": {"^\\d$": {"type": "null"}}}
    assert SecondValidator(named, DIALECT)._accepts({"1": 1}, "patterns as meant") is False
    led = {**named, "properties": {"a": {"$ref": "#/patternProperties/%5E%5Cd$"}}}
    assert SecondValidator(led, DIALECT)._accepts({"1": 1}, "patterns as meant") is None
    assert SecondValidator(led, DIALECT)._accepts({"1": 1}, "as it is") is False
