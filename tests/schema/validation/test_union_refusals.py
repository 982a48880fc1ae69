"""A union that refuses a message speaks by the form that the message was probably meant for, if there is one."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.validation.errors import MAX_UNIONS
from claude_comm.schema.validation.validator import compile_validator

WHOLE, TEXT = {"type": "integer"}, {"type": "string"}
LISTS_ITS_FORMS = "it must be one of the forms that it lists"


def told(schema: Any, message: Any) -> list[tuple[str, str]]:
    """The places that are named, and what must be there."""
    breaches = compile_validator(schema).validate(message)
    return [(breach.path, breach.sentence.split("; ", 1)[1]) for breach in breaches]


def form(**properties: Any) -> Any:
    return {"properties": properties}


A = form(kind={"const": "a"}, n=WHOLE, m=WHOLE)
B = form(kind={"const": "b"}, n={"type": "boolean"})


@pytest.mark.parametrize(
    ("forms", "message", "places"),
    [
        # The only form that takes the kind, though more is wrong with it.
        ([TEXT, form(a=WHOLE, b=WHOLE)], {"a": "x", "b": "y"}, ["$.a", "$.b"]),
        ([form(a=WHOLE)], {"a": "x"}, ["$.a"]),
        # The only one with its tag; a constant further inside is none.
        ([A, B], {"kind": "a", "n": "x", "m": "y"}, ["$.n", "$.m"]),
        ([form(kind={"const": "a"}, o=form(c={"const": 1})), B], {"kind": "a", "o": {"c": 2}}, ["$.o.c"]),
        # A tag that nobody takes is still nearer than another kind.
        ([{"prefixItems": [{"const": "b"}]}, TEXT], ["x"], ["$[0]"]),
        # None is nearer than the other, or none takes the kind at all.
        ([{"required": ["a"]}, {"required": ["b"]}], {}, ["$"]),
        ([False, {**TEXT, "minimum": 3}], 1, ["$"]),
    ],
)
def test_the_form_that_comes_closest_is_told(forms: list[Any], message: Any, places: list[str]) -> None:
    assert [path for path, _ in told({"anyOf": forms}, message)] == places


def test_where_no_form_is_nearer_all_are_needed_alike() -> None:
    assert told({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}) == [("$", LISTS_ITS_FORMS)]


@pytest.mark.parametrize(("unions", "place"), [(MAX_UNIONS, "$.a"), (MAX_UNIONS + 1, "$")])
def test_unions_in_unions_are_followed_so_far(unions: int, place: str) -> None:
    schema = form(a=WHOLE)
    for _ in range(unions):
        schema = {"anyOf": [schema, TEXT]}
    assert [path for path, _ in told(schema, {"a": "x"})] == [place]


@pytest.mark.parametrize(
    ("forms", "need"),
    [
        ([TEXT, {"type": "null"}, {"const": 3}], "a string or null or exactly 3"),
        ([{"const": number} for number in range(5)], " or ".join(f"exactly {number}" for number in range(5))),
        ([{"const": number} for number in range(6)], "one of the forms that it lists"),
        # A form that says more is told by itself.
        ([TEXT, {"type": "null"}, {"minimum": 30}], "at least 30"),
    ],
)
def test_the_kinds_and_values_that_forms_name_are_one_phrase(forms: list[Any], need: str) -> None:
    assert told({"anyOf": forms}, 9) == [("$", f"it must be {need}")]


@pytest.mark.parametrize(
    ("forms", "message", "expected"),
    [
        (
            [form(kind={"const": "a"}), form(kind={"enum": ["b", "a"]}, n=WHOLE), {**TEXT, "minProperties": 9}],
            {"kind": "c", "n": "x"},
            ("$.kind", 'it must be "a" or "b": a `c` is not accepted'),
        ),
        (
            [TEXT, form(kind={"const": "a"}), form(kind={"const": "b"})],
            {"kind": "c"},
            ("$.kind", 'it must be "a" or "b": a `c` is not accepted'),
        ),
        # Of two that tell the forms apart, the first.
        (
            [form(kind={"const": "a"}, v={"const": 1}), form(v={"const": 2}, kind={"const": "b"})],
            {"kind": "c", "v": 3},
            ("$.kind", 'it must be "a" or "b": a `c` is not accepted'),
        ),
        # What lies deeper, or is a value of its own, is no tag.
        (
            [form(o=form(kind={"const": "a"})), form(o=form(kind={"const": "b"}))],
            {"o": {"kind": "c"}},
            ("$", LISTS_ITS_FORMS),
        ),
        ([{"const": {"kind": "a"}}, {"const": {"kind": "b"}}], {"kind": "c"}, ("$", None)),
    ],
)
def test_a_tag_that_no_form_takes_is_told_with_those_that_are(
    forms: list[Any], message: Any, expected: tuple[str, str | None]
) -> None:
    ((path, need),) = told({"anyOf": forms}, message)
    assert path == expected[0]
    assert expected[1] in (None, need)


def test_a_tag_is_told_at_its_own_place() -> None:
    forms = {"anyOf": [form(kind={"const": "a"}), form(kind={"const": "b"})]}
    need = 'it must be "a" or "b": a `c` is not accepted'
    assert told(form(o=forms), {"o": {"kind": "c"}}) == [("$.o.kind", need)]
    assert told({"items": forms}, [{"kind": "c"}]) == [("$[0].kind", need)]


def test_no_more_refusals_are_told_than_were_asked_for() -> None:
    validator = compile_validator({"items": TEXT})
    assert [breach.path for breach in validator.validate([1, 2, 3], most=2)] == ["$[0]", "$[1]"]
    assert len(validator.validate([1, 2, 3], most=1)) == 1


def test_a_place_below_an_empty_name_has_all_its_names() -> None:
    """The library leaves them out."""
    schema = {"additionalProperties": {"properties": {"": {"type": "string"}, "a": {"type": "string"}}}}
    refused = compile_validator(schema).validate({"x": {"": 1, "a": 2}})
    assert sorted(refusal.path for refusal in refused) == ["$.x.a", '$.x[""]']
