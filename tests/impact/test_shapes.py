"""Shapes: no payload is missed, what they say is true of all of them, and there are never too many."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from claude_comm.impact import observed
from claude_comm.impact.blocks import DAY_US
from claude_comm.impact.observed import PathFacts
from claude_comm.impact.sensitive import EVERYTHING, HIDDEN, NOTHING, Marks, marks, redacted
from claude_comm.impact.shape_schema import schema_of
from claude_comm.impact.shapes import MAX_NAMES, MAX_SHAPES, Payload, Shapes
from claude_comm.schema.validation.validator import compile_validator

NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
NAMES = st.sampled_from(["a", "b", "c", "d"]) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def shapes_of(values: list[Any], hidden: Marks = NOTHING, batch: int = 3) -> Shapes:
    shapes = Shapes()
    payloads = [Payload(str(number), number, value) for number, value in enumerate(values)]
    for start in range(0, len(payloads), batch):
        shapes.absorb(payloads[start : start + batch], hidden)
    return shapes


def accepted(facts: PathFacts, value: Any) -> bool:
    schema = schema_of(facts)
    return schema is True or compile_validator(schema).accepts(value)


@given(st.lists(VALUES, max_size=12))
def test_every_payload_fits_the_schema_of_one_of_the_shapes(values: list[Any]) -> None:
    shapes = shapes_of(values)
    assert sum(shape.count for shape in shapes.by_key.values()) == len(values)
    for value in values:
        assert any(accepted(shape.facts, value) for shape in shapes.by_key.values())


@given(st.lists(VALUES, max_size=12))
def test_every_payload_fits_what_all_shapes_are_together(values: list[Any]) -> None:
    whole = observed.merged(shape.facts for shape in shapes_of(values).by_key.values())
    assert all(accepted(whole, value) for value in values)


@given(st.lists(VALUES, max_size=12), st.sets(st.sampled_from(["a", "b", "c"])))
def test_every_payload_fits_when_objects_became_maps_in_between(values: list[Any], fixed: set[str]) -> None:
    shapes = shapes_of(values[: len(values) // 2])
    for path in [(), ("a",), ("a", "[]")]:
        shapes._make_map(path, frozenset(fixed))
    later = [Payload(f"later-{number}", number, value) for number, value in enumerate(values[len(values) // 2 :])]
    shapes.absorb(later, NOTHING)
    # As it is stored and read again.
    stored = Shapes({key: msgspec.convert(msgspec.to_builtins(s), type(s)) for key, s in shapes.by_key.items()})
    stored.absorb([Payload(f"again-{number}", number, value) for number, value in enumerate(values)], NOTHING)
    for value in values:
        assert any(accepted(shape.facts, value) for shape in stored.by_key.values())


@given(st.lists(VALUES, max_size=8))
def test_a_shape_is_a_set_of_paths_and_types(values: list[Any]) -> None:
    """Two payloads are of one shape exactly when they have the same paths with the same types."""

    def paths(value: Any, at: tuple[str, ...] = ()) -> frozenset[Any]:
        found = {(at, observed.TYPES[type(value)])}
        if isinstance(value, dict):
            for name, inner in value.items():
                found |= paths(inner, (*at, name))
        if isinstance(value, list):
            for inner in value:
                found |= paths(inner, (*at, "[]"))
        return frozenset(found)

    shapes = shapes_of(values)
    assert {frozenset(shape.paths) for shape in shapes.by_key.values()} == set(map(paths, values))


def test_what_was_observed_bounds_the_values() -> None:
    [shape] = shapes_of([{"n": 3, "s": "abc"}, {"n": 40, "s": ""}]).by_key.values()
    schema = schema_of(shape.facts)
    assert schema == {
        "type": "object",
        "properties": {"n": {"enum": [3, 40]}, "s": {"enum": ["", "abc"]}},
        "additionalProperties": False,
        "required": ["n", "s"],
    }
    [shape] = shapes_of([{"n": number} for number in range(1000)]).by_key.values()
    properties: Any = schema_of(shape.facts)
    assert properties["properties"]["n"] == {"type": "integer", "minimum": 0, "maximum": 999}


def test_days_are_counted_and_the_latest_is_the_example() -> None:
    shapes = Shapes()
    shapes.absorb([Payload("a", 5, 1), Payload("b", DAY_US + 5, 2), Payload("c", DAY_US + 6, 3)], NOTHING)
    [shape] = shapes.by_key.values()
    assert (shape.days, shape.first_us, shape.last_us) == ({0: 1, 1: 2}, 5, DAY_US + 6)
    assert (shape.example_id, shape.example, shape.since(1)) == ("c", 3, 2)


def test_arbitrary_names_fold_to_a_star_beside_those_that_are_always_there() -> None:
    values = [{"id": n, "by_user": {f"user-{n}": {"n": n}}} for n in range(MAX_SHAPES + 20)]
    shapes = shapes_of(values, batch=50)
    [shape] = shapes.by_key.values()
    assert shape.count == len(values)
    assert [".".join(path) for path, _ in shape.paths] == ["", "by_user", "by_user.*", "by_user.*.n", "id"]
    assert all(accepted(shape.facts, value) for value in values)
    assert not accepted(shape.facts, {"id": 1, "by_user": {"x": {"n": "text"}}})


def test_an_object_of_very_many_names_is_a_map_at_once() -> None:
    shapes = shapes_of([{f"k{n}": n for n in range(MAX_NAMES + 1)}])
    [shape] = shapes.by_key.values()
    assert shape.paths == [((), "object"), (("*",), "integer")]


def test_shapes_that_no_map_folds_become_one() -> None:
    """Types that differ at many paths, and the names are always the same."""
    values = [
        {name: 1 if number >> bit & 1 else "x" for bit, name in enumerate("abcdefghij")} for number in range(1024)
    ]
    shapes = shapes_of(values, batch=100)
    assert len(shapes.by_key) <= MAX_SHAPES
    assert sum(shape.count for shape in shapes.by_key.values()) == len(values)
    assert all(any(accepted(shape.facts, value) for shape in shapes.by_key.values()) for value in values)


def test_what_is_not_json_and_what_is_not_kept_has_a_shape_too() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    shapes = shapes_of([{"b": b"bytes"}, {1: "a key"}, deep, msgspec.UNSET, float("nan")])
    assert sum(shape.count for shape in shapes.by_key.values()) == 5
    assert {path for shape in shapes.by_key.values() for path in shape.paths} >= {
        (("b",), "string"),
        (("1",), "string"),
    }
    assert sum(schema_of(shape.facts) is True for shape in shapes.by_key.values()) == 2


SECRET = {
    "type": "object",
    "properties": {
        "card": {"$ref": "#/$defs/card"},
        "notes": {"type": "array", "items": {"type": "string", "x-sensitive": True}},
        "n": {"type": "integer"},
    },
    "additionalProperties": {"type": "string", "x-sensitive": True},
    "$defs": {"card": {"type": "object", "properties": {"number": {"type": "string", "x-sensitive": True}}}},
}


def test_what_is_sensitive_leaves_no_value_behind() -> None:
    value = {"card": {"number": "4111", "kind": "debit"}, "notes": ["hush"], "n": 7, "extra": "quiet"}
    shapes = shapes_of([value], marks(SECRET))
    [shape] = shapes.by_key.values()
    kept = msgspec.json.encode(shape)
    assert not [word for word in (b"4111", b"hush", b"quiet") if word in kept]
    assert not shape.is_whole
    assert accepted(shape.facts, value)


def test_what_is_not_marked_is_kept() -> None:
    schema = {"properties": {"card": SECRET["$defs"]["card"], "n": {"type": "integer"}}}  # type: ignore[index]
    [shape] = shapes_of([{"card": {"number": "4111", "kind": "debit"}, "n": 7}], marks(schema)).by_key.values()
    assert shape.example == {"card": {"number": HIDDEN, "kind": "debit"}, "n": 7}


def test_where_nothing_is_known_of_the_marks_everything_is_hidden() -> None:
    [shape] = shapes_of([{"n": 7, "s": "word"}], EVERYTHING).by_key.values()
    assert shape.example == {"n": HIDDEN, "s": HIDDEN}
    assert b"word" not in msgspec.json.encode(shape)


def test_a_mark_behind_a_reference_that_comes_back_hides_all_below() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "properties": {"secret": {"x-sensitive": True}, "next": {"$ref": "#/$defs/node"}},
            }
        },
    }
    hidden = redacted({"secret": 1, "next": {"secret": 2, "next": {"secret": 3}}}, marks(tree))
    assert not [number for number in "123" if number in str(hidden)]


def test_a_payload_that_has_no_json_form_is_counted_and_nothing_is_said_of_it() -> None:
    [shape] = shapes_of([{(1, 2): 3}]).by_key.values()
    assert shape.count == 1
    assert accepted(shape.facts, "anything")
