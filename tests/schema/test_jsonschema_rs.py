"""How one release of `jsonschema-rs` behaves, wherever the engine relies on it: a new one is taken on purpose.

A row that fails names what has to be changed with the release: the dot in `schema/regex`, the bounds in
`normalform/validator_dialect`, multiples in `schema/values`, the first prover in `containment/canonical`, the shape of
errors in `validation/errors`. The bound in `pyproject.toml` is raised when all of them hold again.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import jsonschema_rs
import pytest
from packaging.requirements import Requirement

from claude_comm.schema.dialect import Dialect
from claude_comm.schema.dialect_number import NUMBER
from claude_comm.schema.validation.validator import PATTERN_BYTES
from tests.support.homes import REPOSITORY

LINEAR = jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES)
# 2**60, which prints as 1152921504606847000: what compares decimals and what compares binary values differ about it.
GAP = float(2**60)
MODERN, SEVEN, SIX, FOUR = (
    jsonschema_rs.Draft202012Validator,
    jsonschema_rs.Draft7Validator,
    jsonschema_rs.Draft6Validator,
    jsonschema_rs.Draft4Validator,
)

PATTERNS: list[tuple[str, str, bool]] = [
    ("^.$", "\n", False), ("^.$", "\r", True), ("^.$", "\x85", True), ("^.$", "\u2028", True), ("^.$", "\u2029", True),
    ("^a$", "a\n", False),
    (r"^\d$", "\u0663", False), (r"^\w$", "é", False), (r"^\s$", "\ufeff", True), (r"^\s$", "\x85", False),
    (r"^\p{L}$", "é", True), (r"^\p{Letter}$", "é", True), (r"^\P{L}$", "é", False),
    ("^a{1,1001}$", "a" * 1001, True), ("^.$", "\U0001f600", True),
]  # fmt: skip
NUMBERS: list[tuple[dict[str, Any], Any, bool]] = [
    ({"minimum": 2**53 + 1}, float(2**53), False), ({"maximum": 2**63 - 1}, 2**63, False),
    ({"maximum": 2**64}, 2**64 + 1, False), ({"maximum": 10**30}, 10**30 + 1, False),
    ({"minimum": GAP}, 2**60 + 1, False), ({"minimum": Decimal("1152921504606846980.0")}, GAP, True),
    ({"multipleOf": 0.01}, 0.29, True), ({"multipleOf": 0.1}, 0.3, True), ({"multipleOf": 1e-7}, 1e-6, True),
    ({"multipleOf": 3}, 1e300, False), ({"multipleOf": 3}, 10**30, False), ({"multipleOf": 1.5}, 1e308, False),
    ({"type": "integer"}, 1.0, True), ({"type": "integer"}, 1e300, True),
    ({"const": 1}, 1.0, True), ({"const": 2**53 + 1}, float(2**53), False), ({"enum": [1]}, True, False),
    ({"uniqueItems": True}, [1, 1.0], False), ({"uniqueItems": True}, [1, True], True),
    ({"minLength": 2}, "\U0001f600", False), ({"minItems": 2.0}, [1], False),
]  # fmt: skip
# What `normalform/validator_dialect` makes good.
DIALECTS: list[tuple[type[Any], dict[str, Any], Any, bool]] = [
    (FOUR, {"type": "integer"}, 1.0, False),
    (SEVEN, {"contentEncoding": "base64"}, "no base64!", False),
    (SIX, {"contentMediaType": "application/json"}, "{", False),
    (MODERN, {"contentEncoding": "base64"}, "no base64!", True),
    (MODERN, {"dependencies": {"a": ["b"]}}, {"a": 1}, False),
    (MODERN, {"format": "date"}, "no date", True),
]
COVERS: list[tuple[Any, Any, str]] = [
    ({"type": "number"}, {"type": "integer"}, "yes"),
    ({"type": "integer"}, {"type": "number"}, "unknown"),
    ({"pattern": "^a"}, {"pattern": "^ab"}, "unknown"),
    ({"minimum": 2**60 + 4}, {"const": GAP}, "yes"),
    ({"uniqueItems": True}, {"maxItems": 1}, "yes"),
    ({"minLength": 1}, {"type": "string", "pattern": "."}, "yes"),
    ({"multipleOf": 2}, {"multipleOf": 4}, "yes"),
    ({"properties": {"a": {"type": "number"}}}, {"type": "object", "properties": {"a": {"type": "integer"}}}, "yes"),
    # Formats are annotations.
    ({"type": "string", "format": "date"}, {"type": "string"}, "yes"),
]
# Schema, message, and each error: its name, the class of its kind, the place in both, the limit.
Error = tuple[str, str, list[Any], list[Any], Any]
ERRORS: list[tuple[Any, Any, list[Error]]] = [
    (False, 1, [("falseSchema", "FalseSchema", [], [], None)]),
    ({"const": 1}, 2, [("const", "Constant", [], ["const"], 1)]),
    (
        {"required": ["a", "b"]},
        {},
        [("required", "Required", [], ["required"], "a"), ("required", "Required", [], ["required"], "b")],
    ),
    (
        {"dependentRequired": {"a": ["b"]}},
        {"a": 1},
        [("required", "Required", [], ["dependentRequired"], "b")],
    ),
    (
        {"properties": {"a/b": {"minimum": 3}}},
        {"a/b": 1},
        [("minimum", "Minimum", ["a/b"], ["properties", "a/b", "minimum"], 3)],
    ),
    ({"contains": {"const": 1}, "minContains": 2}, [1], [("contains", "Contains", [], ["minContains"], None)]),
    ({"contains": {"const": 1}, "maxContains": 1}, [1, 1], [("contains", "Contains", [], ["maxContains"], None)]),
    (
        {"unevaluatedProperties": False},
        {"a": 1},
        [("unevaluatedProperties", "UnevaluatedProperties", [], ["unevaluatedProperties"], ["a"])],
    ),
    ({"unevaluatedItems": False}, [1], [("unevaluatedItems", "UnevaluatedItems", [], ["unevaluatedItems"], ["1"])]),
    ({"maximum": 2**63 - 1}, 2**63, [("maximum", "Maximum", [], ["maximum"], 2**63 - 1)]),
    # With properties beside it the error names the unexpected ones; alone, it is a schema that nothing fits.
    ({"additionalProperties": False}, {"a": 1}, [("falseSchema", "FalseSchema", [], ["additionalProperties"], None)]),
    (
        {"properties": {"b": True}, "additionalProperties": False},
        {"a": 1},
        [("additionalProperties", "AdditionalProperties", [], ["additionalProperties"], ["a"])],
    ),
]


def test_the_installed_release_is_one_that_the_project_allows() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = (r for r in map(Requirement, project["dependencies"]) if r.name == "jsonschema-rs")
    assert wanted.specifier.contains(version("jsonschema-rs"))
    major, minor, *_ = (int(part) for part in version("jsonschema-rs").split("."))
    assert not wanted.specifier.contains(f"{major}.{minor + 1}.0"), "a release that nobody has compared"


@pytest.mark.parametrize(("pattern", "text", "fits"), PATTERNS)
def test_a_pattern_reads_characters_as_the_engine_does(pattern: str, text: str, fits: bool) -> None:
    assert MODERN({"pattern": pattern}).is_valid(text) is fits
    assert MODERN({"pattern": pattern}, pattern_options=LINEAR).is_valid(text) is fits


@pytest.mark.parametrize("pattern", ["a{,3}", "^[]$", r"^(?<n>a)\k<n>$"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        MODERN({"pattern": pattern})


@pytest.mark.parametrize("pattern", ["(?=a)a", r"^(a)\1$"])
def test_the_linear_engine_refuses_what_it_cannot_search_in_one_pass(pattern: str) -> None:
    MODERN({"pattern": pattern})
    with pytest.raises(jsonschema_rs.ValidationError):
        MODERN({"pattern": pattern}, pattern_options=LINEAR)


def test_a_pattern_that_grows_beyond_its_bytes_is_refused() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        MODERN({"pattern": r"^(\p{L}{1000}){1000}$"}, pattern_options=LINEAR)


@pytest.mark.parametrize(("schema", "value", "fits"), NUMBERS)
def test_numbers_and_counts_are_compared_as_the_engine_does(schema: Any, value: Any, fits: bool) -> None:
    assert MODERN(schema).is_valid(value) is fits


@pytest.mark.parametrize(("validator", "schema", "value", "fits"), DIALECTS)
def test_keywords_assert_what_the_rendering_allows_for(validator: Any, schema: Any, value: Any, fits: bool) -> None:
    assert validator(schema).is_valid(value) is fits


def test_an_address_is_taken_with_percent_codes_alone() -> None:
    with pytest.raises(jsonschema_rs.ValidationError, match="Invalid URI reference"):
        MODERN({"$ref": "#/$defs/größe", "$defs": {"größe": True}})
    assert MODERN({"$ref": "#/$defs/gr%C3%B6%C3%9Fe", "$defs": {"größe": True}}).is_valid(1)


@pytest.mark.parametrize(("accepted", "produced", "answer"), COVERS)
def test_canonical_forms_answer_as_the_first_prover_expects(accepted: Any, produced: Any, answer: str) -> None:
    dialect: Dialect = "draft2020-12"
    over, under = (
        jsonschema_rs.canonicalize(schema, draft=NUMBER[dialect], validate_formats=False, offline=True)
        for schema in (accepted, produced)
    )
    assert str(over.covers(under)) == answer


@pytest.mark.parametrize(("schema", "message", "expected"), ERRORS)
def test_an_error_has_the_shape_that_refusals_are_made_of(schema: Any, message: Any, expected: list[Error]) -> None:
    found = [
        (
            error.kind.name,
            type(error.kind).__name__,
            list(error.instance_path),
            list(error.schema_path),
            error.kind.value,
        )
        for error in MODERN(schema).iter_errors(message)
    ]
    assert found == expected


def test_a_union_brings_the_errors_of_each_of_its_branches() -> None:
    branches = [{"type": "string"}, {"type": "object", "required": ["a"]}]
    for keyword, name in (("anyOf", "AnyOf"), ("oneOf", "OneOfNotValid")):
        (error,) = MODERN({keyword: branches}).iter_errors({})
        assert type(error.kind).__name__ == name
        assert [[inner.kind.name for inner in branch] for branch in error.kind.context] == [["type"], ["required"]]
    (error,) = MODERN({"oneOf": [True, True]}).iter_errors(1)
    assert type(error.kind).__name__ == "OneOfMultipleValid"
