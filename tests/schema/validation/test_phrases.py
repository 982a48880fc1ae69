"""What is needed, and what a message has there, in words."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.types.formats import assert_formats
from claude_comm.schema.validation.phrases import actual, contained_need, kind, needed, place, shown, subject
from claude_comm.schema.validation.union_needs import Tag, tag_need


@pytest.mark.parametrize(
    ("rule", "schema", "amount"),
    [
        ("minContains", {"minContains": 2}, "at least 2 items"),
        ("maxContains", {"maxContains": 2}, "1 to 2 items"),
        ("maxContains", {"maxContains": 1}, "exactly 1 item"),
        ("maxContains", {"maxContains": 2, "minContains": 0}, "at most 2 items"),
    ],
)
def test_how_many_items_are_needed(rule: str, schema: Any, amount: str) -> None:
    assert contained_need(rule, schema) == f"{amount} of the kind that `contains` describes"


@pytest.mark.parametrize("schema", [True, {"contains": True}])
def test_a_schema_that_counts_nothing_needs_no_number(schema: Any) -> None:
    assert contained_need("minContains", schema) == ""


def test_a_place_is_written_in_the_letters_of_its_names() -> None:
    assert place(("häuser", 0, "größe in m")) == '$.häuser[0]["größe in m"]'


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ((), "the message"),
        (("a", "b"), "`a.b`"),
        (("a", 0), "`a[0]`"),
        (("*",), "an item of the message"),
        (("a", "b", "*"), "an item of `a.b`"),
    ],
)
def test_a_sentence_names_the_place(path: Any, words: str) -> None:
    assert subject(path) == words


def test_a_value_is_shown_whole_up_to_sixty_characters() -> None:
    assert shown("x" * 58) == f'"{"x" * 58}"'
    assert shown("x" * 59) == f'"{"x" * 56}...'


@pytest.mark.parametrize(
    ("rule", "limit", "words"),
    [
        ("enum", list(range(8)), "one of 0, 1, 2, 3, 4, 5, 6, 7"),
        ("enum", list(range(9)), "one of 0, 1, 2, 3, 4, 5, 6, 7, ..."),
        ("enum", ["a"], 'exactly "a"'),
        ("const", ["a"], 'exactly ["a"]'),
        ("minLength", 1, "at least 1 character"),
        ("minLength", 2, "at least 2 characters"),
        ("type", ["string", "null"], "a string or null"),
        ("dependentRequired", 1, "`dependentRequired` to hold"),
        ("pattern", "^(?:a|b)$", 'text that matches "^(?:a|b)$"'),
        ("pattern", assert_formats({"format": "date"})["pattern"], 'text in the format "date"'),
    ],
)
def test_what_a_keyword_needs(rule: str, limit: Any, words: str) -> None:
    assert needed(rule, limit) == words


@pytest.mark.parametrize(
    ("rule", "limit", "value", "words"),
    [
        ("minimum", 0, -1, "negative"),
        ("minimum", 1, -1, "-1"),
        ("exclusiveMinimum", 0, 0, "0"),
        ("const", 1, True, "true"),
        ("minLength", 1, "", "empty"),
        ("minLength", 2, "x", "1 character long"),
        ("maxItems", 1, [1, 2], "2 items long"),
        ("pattern", "^a", "xy", '"xy"'),
        ("uniqueItems", True, [1, 1], "[1, 1]"),
        ("minProperties", 1, {}, "empty"),
        ("minProperties", 2, {"a": 1}, "an object of 1 property"),
        ("maxProperties", 1, {"a": 1, "b": 2}, "an object of 2 properties"),
    ],
)
def test_what_a_message_has_there(rule: str, limit: Any, value: Any, words: str) -> None:
    assert actual(rule, limit, value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "a boolean"),
        ("a", "a string"),
        ({}, "an object"),
        ([], "an array"),
        (2, "an integer"),
        (2.0, "an integer"),
        (2.5, "a number with a fraction"),
    ],
)
def test_each_kind_of_value_has_a_name(value: Any, words: str) -> None:
    assert kind(value) == words


@pytest.mark.parametrize(
    ("value", "known", "words"),
    [
        ("x", ("a",), '"a": a `x` is not accepted'),
        ("x", ("a", "b", "c"), '"a", "b" or "c": a `x` is not accepted'),
        (7, tuple("abcde"), '"a", "b", "c", "d" or "e": 7 is not accepted'),
        (7, tuple("abcdef"), 'one of "a", "b", "c", "d", "e", ...: 7 is not accepted'),
        ("x" * 40, ("a",), f'"a": a `{"x" * 40}` is not accepted'),
        ("x" * 41, ("a",), f'"a": "{"x" * 41}" is not accepted'),
    ],
)
def test_the_tags_that_are_known_are_listed(value: Any, known: tuple[str, ...], words: str) -> None:
    assert tag_need(Tag("kind", value, known)) == words
