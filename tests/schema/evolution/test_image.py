"""The image of a schema under an adapter holds every adapted message."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from claude_comm.schema.dialect import URI
from claude_comm.schema.evolution.adapter import Adapter, Convert, Default, Drop, Rename, Step, Widen, Wrap, apply, read
from claude_comm.schema.evolution.image import MAX_CHAIN, image
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from tests.support.examples import examples
from tests.support.schemas.schemas_at_random import LEAVES, NAMES, SCHEMAS, VALUES

PLACES = st.lists(NAMES | st.none(), max_size=2).map(tuple)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Default, at=PLACES, name=NAMES, value=LEAVES, when=st.sampled_from(["missing", "null"])),
    st.builds(Drop, at=PLACES, name=NAMES, when=st.sampled_from(["always", "null"])),
    st.builds(Rename, at=PLACES, name=NAMES, to=NAMES),
    st.builds(Widen, at=PLACES),
    st.builds(Wrap, at=PLACES),
    st.builds(Convert, at=PLACES, to=st.sampled_from(["integer", "number", "string", "boolean"])),
)


@settings(max_examples=examples(250), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    SCHEMAS, SCHEMAS, st.lists(STEPS, min_size=1, max_size=2), st.lists(VALUES, min_size=15, max_size=30), st.booleans()
)
def test_every_adapted_message_is_in_the_image(
    schema: Any, shared: Any, steps: list[Step], messages: list[Any], closing: bool
) -> None:
    """Random schemas, steps and messages: what `apply` makes of an instance is an instance of the image."""
    assume(isinstance(schema, dict))
    document = normalise({**schema, "$defs": {"d": shared if "$ref" not in repr(shared) else {}}}, "draft2020-12")
    document = close(document) if closing else document
    adapter = Adapter(tuple(steps))
    out = image(document, adapter)
    before, after = (jsonschema_rs.Draft202012Validator(side) for side in (document.schema, out))
    for message in messages:
        if before.is_valid(message):
            assert after.is_valid(apply(adapter, message)), (document.schema, out, message)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(STEPS, max_size=3), VALUES)
def test_apply_is_pure_and_total(steps: list[Step], message: Any) -> None:
    """No step raises on any message, the argument is left alone, and an adapter is the same after JSON."""
    adapter, before = Adapter(tuple(steps)), copy.deepcopy(message)
    out = apply(adapter, message)
    assert message == before
    assert read(msgspec.json.encode(adapter)) == adapter
    assert apply(read(msgspec.json.encode(adapter)), message) == out


AB = {"a": {"type": ["integer", "null"]}, "b": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "step", "message"),
    [
        ({"type": "integer"}, Wrap(at=()), 1),
        ({"type": "array", "items": {"type": ["integer", "array"]}, "uniqueItems": True}, Wrap(at=(None,)), [1, [1]]),
        ({"properties": AB, "required": ["a"]}, Drop(name="a", when="null"), {"a": None}),
        ({"properties": AB, "minProperties": 2}, Drop(name="a"), {"a": 1, "b": "x"}),
        ({"properties": AB, "maxProperties": 1}, Default(name="a", value=0), {"b": "x"}),
        ({"properties": AB, "required": ["b"]}, Rename(name="b", to="c"), {"b": "x"}),
        ({"properties": AB, "required": ["b"]}, Rename(name="b", to="a"), {"a": 1, "b": "x"}),
        ({"properties": AB, "dependentRequired": {"a": ["b"]}}, Default(name="a", value=0), {}),
        ({"properties": AB, "propertyNames": {"enum": ["a", "b"]}}, Rename(name="b", to="c"), {"b": "x"}),
        ({"type": "integer"}, Widen(at=()), 10**400),
        ({"type": "integer"}, Widen(at=()), -0.0),
        ({"type": "number"}, Convert(at=(), to="integer"), 1e300),
        ({"type": "array", "uniqueItems": True}, Convert(at=(None,), to="integer"), [0.4, 0.3]),
        ({"type": "number", "minimum": 0.5}, Convert(at=(), to="integer"), 0.5),
        ({"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False}, Wrap(at=("a",)), {"a": 1}),
        ({"patternProperties": {"^a": {"type": "integer"}}, "properties": AB}, Rename(name="a", to="z"), {"a": 1}),
        (
            {"if": {"required": ["a"]}, "then": {"properties": AB}, "else": {"minProperties": 1}},
            Drop(name="a"),
            {"a": 1},
        ),
        ({"allOf": [{"properties": AB}], "unevaluatedProperties": False}, Rename(name="a", to="z"), {"a": 1}),
        (
            {"allOf": [{"properties": AB, "unevaluatedProperties": True}], "unevaluatedProperties": False},
            Rename(name="a", to="z"),
            {"a": 1},
        ),
        (
            {"allOf": [{"patternProperties": {"^a": True}}], "unevaluatedProperties": False},
            Rename(name="a", to="z"),
            {"a": 1},
        ),
        ({"allOf": [True, {}]}, Drop(name="a"), {"a": 1}),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, Drop(name="b"), {"a": 1, "b": "x"}),
        ({"properties": {"a": {"type": "string"}}}, Default(name="a", value=0), {"a": "x"}),
        ({}, Default(name="a", value=0), {"a": 5}),
        ({"properties": AB}, Drop(name="a"), {"a": 1}),
        ({"properties": AB, "required": ["b"]}, Default(name="b", value="q"), {"b": "x"}),
        (
            {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False},
            Rename(name="a", to="z"),
            {"a": 1},
        ),
        ({"type": "string", "maxLength": 0}, Convert(at=(), to="integer"), ""),
        ({"type": "string", "minLength": 1, "maxLength": 1}, Convert(at=(), to="integer"), "x"),
        ({"type": "string", "pattern": r"^(a)\1$"}, Convert(at=(), to="integer"), "aa"),
        ({"properties": {"a": False}}, Default(name="a", value=0), {}),
        ({"type": "array", "items": {"type": "integer"}}, Wrap(at=()), [1]),
        ({"type": ["string", "array"]}, Wrap(at=()), "x"),
    ],
)
def test_what_a_step_may_break_is_left_out(schema: Any, step: Step, message: Any) -> None:
    """Each rule that a step can invalidate gives way in the image."""
    adapter = Adapter((step,))
    assert jsonschema_rs.is_valid(schema, message)
    out = apply(adapter, message)
    assert jsonschema_rs.is_valid(image(normalise(schema, "draft2020-12"), adapter), out)


@pytest.mark.parametrize(
    ("schema", "step", "out"),
    [
        (
            {"type": "integer"},
            Wrap(at=()),
            {"type": "array", "items": {"type": ["integer"]}, "minItems": 1, "maxItems": 1},
        ),
        ({"type": "boolean"}, Widen(at=()), {"enum": ["true", "false"]}),
        ({"const": 3}, Widen(at=()), {"enum": ["3"]}),
        ({"type": "string", "pattern": "^[1-9][0-9]{0,3}$"}, Convert(at=(), to="integer"), {"type": "integer"}),
        ({"type": "number", "minimum": 0.5}, Convert(at=(), to="integer"), {"type": "integer", "minimum": 0}),
    ],
)
def test_an_image_is_no_wider_than_it_must_be(schema: Any, step: Step, out: Any) -> None:
    """The images that proofs rest on most are exact."""
    found = image(normalise(schema, "draft2020-12"), Adapter((step,)))
    assert {key: value for key, value in found.items() if key != "$schema"} == out


def test_an_integer_of_any_length_is_written_out() -> None:
    """The interpreter's limit on the digits of an integer is no limit here."""
    assert apply(Adapter((Widen(at=()),)), 10**5000) == "1" + "0" * 5000


def test_of_a_schema_that_no_message_fits_nothing_is_left() -> None:
    never = normalise({"allOf": [{"type": "object"}, False]}, "draft2020-12")
    out = image(never, Adapter((Drop(name="a"),)))
    assert not jsonschema_rs.is_valid(out, {})


def test_what_no_schema_stands_for_has_no_image() -> None:
    draft_4 = {"$schema": URI["draft4"], "properties": {"n": {"not": {"type": "integer"}}}}
    assert image(normalise(draft_4, "draft4"), Adapter((Drop(name="a"),))) is None


def test_a_schema_that_unfolds_without_an_end_holds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.schema.evolution.image.MAX_VISITS", 1)
    out = image(normalise({"allOf": [{"properties": AB}]}, "draft2020-12"), Adapter((Drop(name="a"),)))
    assert jsonschema_rs.is_valid(out, {"b": 3})


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        ("number", "12", 12),
        ("number", "1.5", 1.5),
        ("number", "x", "x"),
        ("string", 1.5, "1.5"),
        ("string", 3, "3"),
        ("string", True, "true"),
    ],
)
def test_a_value_is_converted_as_it_is_written(to: Any, value: Any, expected: Any) -> None:
    assert apply(Adapter((Convert(at=(), to=to),)), value) == expected


def image_of(schema: Any, *steps: Step) -> Any:
    return image(normalise(schema, "draft2020-12"), Adapter(steps))


def test_forms_that_are_true_declare_no_name() -> None:
    schema = {"type": "object", "properties": {"a": True}, "anyOf": [True, False], "unevaluatedProperties": False}
    out = image_of(schema, Drop(name="b"))
    assert jsonschema_rs.is_valid(out, {"a": 1})
    assert not jsonschema_rs.is_valid(out, {"c": 1})


def test_the_first_items_are_followed_like_the_others() -> None:
    out = image_of({"type": "array", "prefixItems": [{"type": "integer"}]}, Widen(at=(None,)))
    assert jsonschema_rs.is_valid(out, ["1", "x"])
    assert not jsonschema_rs.is_valid(out, [1])


@pytest.mark.parametrize(("bounds", "refused"), [({"maximum": 2.5}, 4), ({"minimum": 2.5}, 1), ({}, 0.5)])
def test_numbers_that_are_rounded_stay_near_their_bounds(bounds: Any, refused: Any) -> None:
    out = image_of({"type": "number", **bounds}, Convert(at=(), to="integer"))
    assert jsonschema_rs.is_valid(out, 3)
    assert not jsonschema_rs.is_valid(out, refused)


@pytest.mark.parametrize(
    ("kinds", "texts", "others"),
    [
        (["integer", "boolean"], ["7", "-1", "true"], [7, True, "seven"]),
        (["number", "null"], ["7", "0.5", None], [7]),
    ],
)
def test_numbers_and_booleans_are_converted_to_texts(kinds: list[str], texts: list[Any], others: list[Any]) -> None:
    validator = jsonschema_rs.validator_for(image_of({"type": kinds}, Convert(at=(), to="string")))
    assert all(map(validator.is_valid, texts))
    assert not any(map(validator.is_valid, others))


OF_B = {"type": "object", "properties": {"b": {"type": "string"}}}
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "step", "refused"),
    [
        # What is said beside a composition, in it, or in both branches of a condition, is still said.
        ({**OF_B, "allOf": [{"minProperties": 1}]}, Drop(name="a"), {"b": 3}),
        ({"allOf": [OF_B]}, Drop(name="a"), {"b": 3}),
        ({"anyOf": [OF_B, {"required": ["b"], **OF_B}]}, Drop(name="a"), {"b": 3}),
        ({"oneOf": [OF_B]}, Drop(name="a"), {"b": 3}),
        ({"if": {"required": ["c"]}, "then": OF_B, "else": OF_B}, Drop(name="a"), {"b": 3}),
        ({"$ref": "#/$defs/b", "$defs": {"b": OF_B}}, Drop(name="a"), {"b": 3}),
        ({}, Default(name="a", value=0), {}),
        # Counts of properties change by one.
        ({**OF_B, "minProperties": 3}, Drop(name="a"), {"b": "x"}),
        ({**OF_B, "maxProperties": 1}, Default(name="a", value=0), {"a": 0, "b": "x", "c": 1}),
        ({"properties": {"a": False}}, Default(name="a", value=0), {"a": 1}),
        ({"properties": {"a": TEXT}}, Default(name="a", value=0), {"a": 1}),
        # A place further down.
        ({"properties": {"a": {"properties": {"b": WHOLE}}}}, Widen(at=("a", "b")), {"a": {"b": 1}}),
        ({"items": {"properties": {"b": WHOLE}}}, Widen(at=(None, "b")), [{"b": 1}]),
        ({"properties": {"a": {"items": {"items": WHOLE}}}}, Widen(at=("a", None, None)), {"a": [[1]]}),
        # Texts, kinds and numbers.
        ({"type": "boolean"}, Convert(at=(), to="string"), "7"),
        ({"type": "boolean"}, Convert(at=(), to="integer"), 7),
        ({"type": "string"}, Convert(at=(), to="integer"), [1]),
        ({"type": "array", "items": WHOLE}, Wrap(at=()), "x"),
        ({"type": "array", "items": WHOLE}, Wrap(at=()), ["x"]),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": 5}, Convert(at=(), to="integer"), 3),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": 5}, Convert(at=(), to="integer"), 7),
        ({"properties": {"a": {"anyOf": [TEXT, {"type": "null"}]}}}, Drop(name="a", when="null"), {"a": None}),
        ({"enum": [1, "x"]}, Widen(at=()), 1),
        ({"const": {"a": 1}}, Widen(at=("a",)), {"a": 1}),
    ],
)
def test_what_no_adapted_message_can_be_is_outside_of_the_image(schema: Any, step: Step, refused: Any) -> None:
    assert not jsonschema_rs.is_valid(image_of(schema, step), refused)


@pytest.mark.parametrize(("links", "is_open"), [(MAX_CHAIN, False), (MAX_CHAIN + 1, True)])
def test_a_chain_of_references_is_followed_so_far(links: int, is_open: bool) -> None:
    definitions: dict[str, Any] = {str(link): {"$ref": f"#/$defs/{link + 1}"} for link in range(1, links)}
    out = image_of({"$ref": "#/$defs/1", "$defs": {**definitions, str(links): OF_B}}, Drop(name="a"))
    assert jsonschema_rs.is_valid(out, {"b": 3}) is is_open
