"""Breaches are named by path and in words; what cannot be a schema is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation import memoized
from claude_comm.schema.validation.errors import errors
from claude_comm.schema.validation.memoized import is_json
from claude_comm.schema.validation.true_path import true_path, true_schema_path
from claude_comm.schema.validation.validator import (
    FEW_PATTERNS,
    MAX_INSTANCE_DEPTH,
    compile_validator,
    compiled,
    deeper,
    descends,
    well_formed,
)

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
    assert compile_validator(tree).accepts(message) is False


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


def test_the_first_breach_is_the_one_of_an_error() -> None:
    validator = compile_validator({"items": {"type": "string"}})
    first = validator.first(["a", 1, 2])
    assert first is not None
    assert first.path == "$[1]"
    assert validator.first(["a"]) is None


@pytest.mark.parametrize(("named", "places"), [("all", [[0], [1]]), ("first", [[0]]), ("none", [])])
def test_as_many_errors_are_made_as_can_be_had(named: Any, places: list[list[int]]) -> None:
    validator = jsonschema_rs.validator_for({"items": {"type": "string"}})
    assert [error.instance_path for error in errors(validator, [1, 2], named)] == places


@pytest.mark.parametrize(
    ("instance", "levels", "expected"),
    [
        (1, 0, False),
        ([], 0, False),
        ([1], 0, True),
        ([1], 1, False),
        ([[1]], 1, True),
        ([[1]], 2, False),
        ({"a": [1]}, 1, True),
        ({"a": (1, {})}, 2, False),
        ([[], [[1]]], 2, True),
    ],
)
def test_how_deep_a_message_is_nested(instance: Any, levels: int, expected: bool) -> None:
    assert deeper(instance, levels) is expected


@pytest.mark.parametrize("instance", ["\ud800", {1: 2}])
def test_what_the_validator_cannot_look_at_is_not_accepted(instance: Any) -> None:
    assert compile_validator({}).accepts(instance) is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ([1, 2.5, True, "é", {"a": (1,)}], True),
        ({"a": {"b": [float("nan")]}}, False),
        ({"a": {1: 2}}, False),
        ({"a": {"x": 1, "\ud800": 2}}, False),
        (["é\udfff"], False),
        ([b"x"], False),
        ([object()], False),
    ],
)
def test_json_is_told_from_what_it_has_no_form_for(value: Any, expected: bool) -> None:
    assert is_json(value) is expected


def test_a_document_is_not_read_from_a_file(tmp_path: Path) -> None:
    document = tmp_path / "other.json"
    document.write_text('{"type": "string"}')
    with pytest.raises(SchemaError, match="a reference leads nowhere"):
        compile_validator({"$ref": document.as_uri()})


def test_a_format_is_an_annotation() -> None:
    assert compile_validator({"format": "email"}).accepts("no address")


@pytest.mark.parametrize(
    ("schema", "message", "path", "words"),
    [
        (
            {"properties": {"l": {"contains": {"type": "string"}, "minContains": 2}}},
            {"l": ["a"]},
            "$.l",
            "at least 2 items of the kind that `contains` describes",
        ),
        (
            {"properties": {"l": {"contains": {"type": "string"}, "maxContains": 1}}},
            {"l": ["a", "b"]},
            "$.l",
            "exactly 1 item of the kind that `contains` describes",
        ),
        (
            {"unevaluatedProperties": {"type": "integer"}},
            {"a": "x"},
            "$.a",
            '`a` is "x"; it must be what `unevaluatedProperties` allows there',
        ),
        ({"additionalProperties": False}, {"a": "x"}, "$.a", "`a` is a property that is not allowed here"),
        (
            {"items": {"additionalProperties": False}},
            [{}, {"a": 1}],
            "$[1].a",
            "`[1].a` is a property that is not allowed here",
        ),
        ({"properties": {"a": False}}, {"a": {"x": 1}}, "$.a", "`a` is not allowed here"),
        ({"items": False}, [{"x": 1}], "$[0]", "`[0]` is not allowed here"),
        (
            {"properties": {"additionalProperties": False}},
            {"additionalProperties": {"a": 1}},
            "$.additionalProperties",
            "`additionalProperties` is not allowed here",
        ),
        ({"unevaluatedProperties": False}, {"a": "x"}, "$.a", "`a` is a property that is not allowed here"),
    ],
)
def test_what_a_breach_says(schema: Any, message: Any, path: str, words: str) -> None:
    (breach,) = compile_validator(schema).validate(message)
    assert breach.path == path
    assert breach.sentence.endswith(words)


@pytest.mark.parametrize(("message", "accepted"), [({"next": {}}, True), ({"next": {"next": 1}}, False)])
def test_a_table_of_parts_and_values_answers_the_same(message: Any, accepted: bool) -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert memoized.accepts(normalise(schema, "draft2020-12"), message) is accepted
    assert compile_validator(schema).accepts(message) is accepted


def test_what_is_never_allowed_is_said_in_words() -> None:
    (breach,) = compile_validator({"properties": {"a": False}}).validate({"a": 1})
    assert breach.sentence == "`a` is not allowed here"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"pattern": "(?=a)"}, "a pattern that is not a regular expression, or needs look-around"),
        ({"$ref": "#/nowhere"}, "a reference leads nowhere: Pointer '/nowhere' does not exist."),
        ({"format": 5}, "not a schema: `format` is an integer; it must be a string."),
        ({"minLength": -1}, "not a schema: `minLength` is negative; it must be at least 0."),
    ],
)
def test_what_is_no_schema_is_told_in_words(schema: Any, words: str) -> None:
    with pytest.raises(SchemaError) as refused:
        compile_validator(schema)
    assert str(refused.value).startswith(words)


def test_a_schema_of_many_patterns_has_less_room_for_each() -> None:
    """`^.{1,5000}$` takes 7 MiB: with few others it is a pattern, with many it is not."""

    def schema(others: int) -> Any:
        return {"pattern": "^.{1,5000}$", "patternProperties": {f"^x{at}": True for at in range(others)}}

    assert compile_validator(schema(FEW_PATTERNS - 1)).accepts("x")
    with pytest.raises(SchemaError):
        compile_validator(schema(FEW_PATTERNS))


@pytest.mark.parametrize(
    ("message", "path", "refused", "expected"),
    [
        ({"": {"b": 1}, "b": 2}, ("b",), 1, ("", "b")),
        ({"": {"b": 1}, "b": 2}, ("b",), 2, ("b",)),
        ({"": {"b": True}, "b": 1}, ("b",), 1, ("b",)),
        ({"b": {"": True}}, ("b",), True, ("b", "")),
        ({"7": {"": 1}, "07": 3}, (7,), 3, ("07",)),
        ({"7": 1}, (7,), 1, ("7",)),
        ({"a": {"": [1, 2]}}, ("a", 1), 2, ("a", "", 1)),
        ({"a": [1], "": 0}, ("a", 1), 2, ("a", 1)),
        ([{"": 1}], (0,), 1, (0, "")),
        ([{"": {"b": 1}}], (0, "b"), 1, (0, "", "b")),
        ([[{"": {"b": {"c": 1}}}]], (0, 0, "b", "c"), 1, (0, 0, "", "b", "c")),
        ({"x": 3, "8": 3, "07": 3}, (7,), 3, ("07",)),
        ({"a": 1}, ("c",), 1, ("c",)),
        ({"a": 1}, ("a", "b"), 1, ("a", "b")),
        ([1], (1,), 1, (1,)),
    ],
)
def test_keys_that_an_error_leaves_out_or_takes_for_numbers(
    message: Any, path: tuple[Any, ...], refused: Any, expected: tuple[Any, ...]
) -> None:
    assert true_path(message, path, refused) == expected


def test_in_a_schema_the_path_ends_with_the_keyword() -> None:
    schema = {"properties": {"": {"type": "string"}, "type": {"type": "string"}}}
    assert true_schema_path(schema, ("properties", "type"), "type") == ("properties", "", "type")
    never = {"properties": {"": False, "a": True}}
    assert true_schema_path(never, ("properties",), "false schema") == ("properties", "")
    assert true_schema_path(schema, ("properties", "type", "type"), "type") == ("properties", "type", "type")


def doubling(levels: int, last: Any) -> Any:
    """Each definition refers to the next one twice: 2 to the power of so many ways to the last."""
    definitions = {
        f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}, {"$ref": f"#/$defs/d{at + 1}"}]} for at in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": last}}


def test_what_would_take_for_ever_is_answered_by_a_table() -> None:
    validator = compile_validator(doubling(60, {"type": "integer"}))
    assert validator.accepts(1) is True
    assert validator.accepts("x") is False
    assert validator.validate(1) == []
    assert [breach.rule for breach in validator.validate("x")] == ["schema"]


def test_a_message_that_does_not_go_there_is_told_where_it_breaks() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/d0"}, "b": {"type": "string"}},
        "$defs": doubling(60, True)["$defs"],
    }
    assert [breach.path for breach in compile_validator(schema).validate({"b": 1})] == ["$.b"]


def test_too_many_ways_to_what_is_unevaluated_are_refused() -> None:
    schema = {**doubling(60, {"properties": {"a": True}}), "unevaluatedProperties": False}
    with pytest.raises(SchemaError, match="too many paths"):
        compile_validator(schema)
    assert compile_validator({**doubling(2, {"properties": {"a": True}}), "unevaluatedProperties": False})


def test_look_around_is_for_witnesses_alone() -> None:
    schema = {"pattern": "^(?=ab)a"}
    assert compiled(schema, "draft2020-12", patterns="any").is_valid("ab")
    assert not compiled(schema, "draft2020-12", patterns="any").is_valid("ac")
    with pytest.raises(SchemaError):
        compiled(schema, "draft2020-12")
