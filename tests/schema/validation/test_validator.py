"""Breaches are named by path and in words; what cannot be a schema is refused with its place."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.validation.true_path import true_path
from claude_comm.schema.validation.validator import MAX_INSTANCE_DEPTH, compile_validator, descends, well_formed

ORDER = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"properties": {"price": {"minimum": 0}}}}},
    "required": ["id"],
}


def test_a_breach_names_where_and_why() -> None:
    breaches = compile_validator(ORDER).validate({"id": 1, "items": [{"price": -1}]})
    assert [(b.path, b.schema_path) for b in breaches] == [
        ("$.items[0].price", "/properties/items/items/properties/price/minimum")
    ]
    assert breaches[0].sentence == "`items[0].price` is negative; it must be at least 0"


def test_every_breach_is_named() -> None:
    breaches = compile_validator(ORDER).validate({"items": [{"price": -1}, {"price": -2}]})
    assert {b.path for b in breaches} == {"$.items[0].price", "$.items[1].price", "$"}
    assert "`id` is missing" in {b.sentence for b in breaches}


def test_a_fitting_message_has_no_breach() -> None:
    assert compile_validator(ORDER).validate({"id": 1}) == []


@pytest.mark.parametrize("instance", [float("nan"), "\ud800", {1: 2}, {"a": object()}])
def test_what_is_not_json_is_a_breach_and_not_an_exception(instance: object) -> None:
    assert compile_validator({"type": "null"}).validate(instance)


def test_an_instance_too_deep_is_a_breach() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert compile_validator({"items": {"$ref": "#"}}).validate(deep)[0].rule == "depth"


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
        ({"items": {"pattern": "("}}, "/items/pattern"),
        ({"items": {"pattern": "(?=a)b"}}, "/items/pattern"),
        ({"minimum": float("inf")}, "/minimum"),
        ({"const": 10**5000}, "/const"),
        ({"title": "\ud800"}, "/title"),
        ({"$schema": "tag:nobody"}, "/$schema"),
        ({"$ref": "#/nowhere"}, ""),
        ({"$ref": "http://localhost:1/never-fetched"}, ""),
        ("a string", ""),
    ],
)
def test_an_unusable_schema_is_refused_with_its_place(schema: object, place: str) -> None:
    with pytest.raises(SchemaError) as caught:
        well_formed(schema)
    assert caught.value.path == place


@pytest.mark.parametrize("draft", ["draft-07", "draft-04"])
def test_a_small_message_of_a_schema_that_may_take_for_ever_is_told_where_it_breaks(draft: str) -> None:
    """A meta-schema comes back to itself in a dozen ways: a bound for all messages is far too large for this one."""
    schema = jsonschema.validators.validator_for({"$schema": f"http://json-schema.org/{draft}/schema"}).META_SCHEMA
    message: dict[str, Any] = {"type": "strin"}
    for name in "abcdef":
        message = {"properties": {name: message}}
    (breach,) = compile_validator(schema).validate(message)
    assert breach.path.endswith(".type")
    assert breach.rule != "schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {"type": "array"}}},
        {"properties": {"kind": {"enum": ["new", [1]]}, "version": {"const": [[1]]}}},
        {"type": "array", "uniqueItems": True},
    ],
)
def test_only_a_reference_that_comes_back_to_itself_is_followed_to_any_depth(schema: Any) -> None:
    """The message is walked for its depth where that may be, and nowhere else: it takes longer than validating."""
    assert not descends(schema, "draft2020-12")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"next": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}},
        {"$dynamicRef": "#node", "$defs": {"n": {"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}}}},
    ],
)
def test_a_reference_that_comes_back_to_itself_is_noticed(schema: Any) -> None:
    assert descends(schema, "draft2020-12")


@pytest.mark.parametrize("levels", [300, 50_000])
def test_whole_values_are_compared_to_a_depth_that_the_stack_takes(levels: int) -> None:
    left: object = 1
    for _ in range(levels):
        left = [left]
    validator = compile_validator({"uniqueItems": True})
    assert validator.accepts([left, 1]) in (True, False)
    assert all(breach.rule in ("depth", "uniqueItems") for breach in validator.validate([left, [left]]))
    assert not compile_validator({"const": [[1]]}).accepts(left)
    assert compile_validator({"enum": [[[1]], 2]}).validate(left)


def test_a_message_that_is_nested_too_deep_is_not_accepted() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    message: Any = []
    for _ in range(MAX_INSTANCE_DEPTH + 1):
        message = [message]
    assert compile_validator(tree).accepts([[[]]])
    assert not compile_validator(tree).accepts(message)


def test_a_path_that_leads_nowhere_stays_as_the_error_has_it() -> None:
    message = {"": {"b": 1}}
    assert true_path(message, ("b",)) == ("", "b")
    assert true_path(message, ("c",)) == ("c",)


def test_an_error_that_names_no_place_is_told_in_the_validators_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SchemaError, match="not a schema: ") as named:
        compile_validator({"type": 5})
    monkeypatch.setattr("claude_comm.schema.validation.validator.refusals", lambda *_, **__: iter(()))
    with pytest.raises(SchemaError, match="not a schema: ") as unnamed:
        compile_validator({"type": 5})
    assert str(named.value) != str(unnamed.value)
