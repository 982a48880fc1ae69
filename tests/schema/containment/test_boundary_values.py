"""What is tried as a message where no proof decides: the constants and bounds of both schemas, smallest first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from claude_comm.schema.containment.boundary_values import MAX_VARIANTS, Harvest, candidates, harvest
from claude_comm.schema.verdict import Json

NUMBERS, STRINGS, COUNTS = (0, 0.5, 1, -1), ("", "a", "A", "0", "é", "a\n"), (0, 1)
BEYOND = 10**400


def harvested(
    numbers: tuple[float, ...] = NUMBERS,
    strings: tuple[str, ...] = STRINGS,
    others: tuple[Json, ...] = (),
    counts: tuple[int, ...] = COUNTS,
    names: tuple[str, ...] = (),
) -> Harvest:
    return Harvest(numbers=numbers, strings=strings, others=others, counts=counts, names=names)


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({}, harvested()),
        ({"minimum": 3}, harvested((0, 0.5, 1, -1, 2, 3, 3.5, 4))),
        ({"maximum": BEYOND}, harvested((*NUMBERS, BEYOND - 1, BEYOND, BEYOND + 1))),
        ({"minimum": 1e307}, harvested((*NUMBERS, 1e307))),
        ({"multipleOf": 1e307}, harvested((*NUMBERS, 1e307, -1e307))),
        ({"minLength": -3}, harvested()),
        ({"multipleOf": 6}, harvested((0, 0.5, 1, -1, 3, 6, -6, 12))),
        ({"multipleOf": BEYOND}, harvested((*NUMBERS, BEYOND, -BEYOND))),
        ({"minLength": 2}, harvested(strings=("", "a", "aa", "aaa", "A", "0", "é", "a\n"))),
        ({"minLength": 5000}, harvested(strings=("", "a", "a" * 4999, "a" * 5000, "A", "0", "é", "a\n"))),
        ({"maxLength": 0}, harvested()),
        ({"minItems": 64}, harvested(counts=(0, 1, 63, 64))),
        ({"maxProperties": 3}, harvested(counts=(0, 1, 2, 3, 4))),
        ({"const": "x"}, harvested(strings=("", "a", "x", "A", "0", "é", "a\n"))),
        ({"enum": [5, True, [1]]}, harvested((*NUMBERS, 5, 6), others=(True, [1]))),
        ({"required": ["p"], "properties": {"q": {"const": 4}}}, harvested((*NUMBERS, 4, 5), names=("p", "q"))),
        ({"required": [f"{n}" for n in range(70)]}, harvested(names=tuple(f"{n}" for n in range(64)))),
    ],
    ids=range(17),
)
def test_each_constant_is_tried_and_what_lies_beside_each_bound(schema: Json, values: Harvest) -> None:
    assert harvest(schema) == values


def test_what_the_consumer_names_comes_first() -> None:
    assert harvest({"const": "produced"}, {"const": "accepted"}).strings[2:4] == ("accepted", "produced")


FEW = Harvest(
    numbers=(0, 0.5, 1, -1, 4, 6.0), strings=("", "a", "bb", "cccc"), others=(), counts=(0, 1, 3), names=("n",)
)
TRIED: dict[str, tuple[Json, list[Json]]] = {
    "nothing": (False, []),
    "anything": (True, ["a", 0, 0.5, True, None, [], {}]),
    "a constant": ({"const": [1]}, [[1]]),
    "an enumeration": ({"enum": [1, "x"]}, [1, "x"]),
    "null or a truth value": ({"type": ["null", "boolean"]}, [None, True, False]),
    "a text of a length": ({"type": "string", "minLength": 1, "maxLength": 2}, ["a", "bb"]),
    "an integer": ({"type": "integer", "minimum": 0, "maximum": 4}, [0, 1, 4]),
    "a number between": ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 6}, [0.5, 1, 4]),
    "a number below one and above another": (
        {"type": "number", "exclusiveMinimum": -1, "exclusiveMaximum": 1},
        [0, 0.5],
    ),
    "a number of a step beyond all floats": ({"type": "number", "multipleOf": BEYOND}, [0]),
    "a number of a step": ({"type": "number", "multipleOf": 2}, [0, 4, 6.0]),
    "no kind, but fields": (
        {"required": ["n"]},
        [
            {"n": "a"},
            {"n": "a"},
            {"n": "a"},
            {"n": 0},
            {"n": 0.5},
            {"n": True},
            {"n": None},
            {"n": []},
            {"n": {}},
            {"n": "a", "extra": "a"},
            {"n": "a", "extra": 0},
            {"n": "a", "extra": 0.5},
            {"n": "a", "extra": True},
            {"n": "a", "extra": None},
            {"n": "a", "extra": []},
            {"n": "a", "extra": {}},
            None,
        ],
    ),
    "no kind, but items": (
        {"minItems": 1},
        [
            [],
            ["a"],
            ["a", "a", "a"],
            [],
            ["a"],
            [0],
            [0.5],
            [True],
            [None],
            [[]],
            [{}],
            ["a", 0, 0.5, True, None, [], {}],
            None,
        ],
    ),
    "a reference": ({"$ref": "#/$defs/Word", "$defs": {"Word": {"const": "w"}}}, ["w"]),
    "all of": (
        {
            "allOf": [
                {"type": "object", "required": ["b"]},
                {"properties": {"b": {"const": 1}}, "required": ["c"], "additionalProperties": False},
            ]
        },
        [{"b": 1, "c": None}, {"b": 1, "c": None}, {"b": 1, "c": None}],
    ),
    "any of": (
        {"type": "string", "anyOf": [{"minLength": 4}, {"enum": ["e"]}, True, {"anyOf": [{"const": "deep"}]}]},
        ["cccc", "e", "", "a", "bb", "cccc", "", "a", "bb", "cccc"],
    ),
    "if": ({"if": {"type": "null"}, "then": {"const": None}, "else": {"const": 0}}, [None, 0]),
    "an array": (
        {"type": "array", "items": {"type": "boolean"}},
        [[], [True], [True, True, True], [], [True], [False], [True, False]],
    ),
    "a tuple": (
        {
            "type": "array",
            "prefixItems": [{"enum": ["x", "y"]}, {"type": "null"}],
            "items": {"const": 1},
            "minItems": 4,
        },
        [
            [],
            ["x"],
            ["x", None, 1],
            ["x", None],
            ["x", None],
            ["y", None],
            ["x", None],
            ["x", None, 1, 1],
            ["x", None, 1],
        ],
    ),
    "an array that contains": (
        {"type": "array", "items": False, "contains": {"const": 7}, "minContains": 2},
        [[], [None], [None, None, None], [], [], [7, 7]],
    ),
    "an array that contains one": (
        {"type": "array", "items": False, "contains": {"const": 7}},
        [[], [None], [None, None, None], [], [], [7]],
    ),
    "an array of the most that are made": (
        {"type": "array", "items": {"const": 1}, "contains": {"const": 7}, "minItems": 1000, "minContains": 1000},
        [[], [1], [1, 1, 1], [], [1] * 1000, [1], [7] * 1000],
    ),
    "an array of many": ({"type": "array", "items": {"const": 1}, "minItems": 1001}, [[], [1], [1, 1, 1], [], [1]]),
    "an object": (
        {"type": "object", "required": ["b"], "properties": {"b": {"type": "boolean"}, "o": {"enum": [1, 2]}}},
        [
            {"b": True},
            {"b": True},
            {"b": False},
            {"b": True, "o": 1},
            {"b": True, "o": 2},
            {"b": True, "o": 1},
            {"b": True, "n": "a"},
            {"b": True, "n": 0},
            {"b": True, "n": 0.5},
            {"b": True, "n": True},
            {"b": True, "n": None},
            {"b": True, "n": []},
            {"b": True, "n": {}},
            {"b": True, "extra": "a"},
            {"b": True, "extra": 0},
            {"b": True, "extra": 0.5},
            {"b": True, "extra": True},
            {"b": True, "extra": None},
            {"b": True, "extra": []},
            {"b": True, "extra": {}},
        ],
    ),
    "a map": ({"type": "object", "additionalProperties": {"const": 1}}, [{}, {}, {"n": 1}, {"extra": 1}]),
    "a closed one of another keyword": (
        {"type": "object", "unevaluatedProperties": False, "properties": {"b": {"const": 1}}},
        [{}, {"b": 1}, {"b": 1}],
    ),
    "one with a name that is tried": (
        {"type": "object", "properties": {"n": {"const": 1}}, "additionalProperties": {"const": 2}},
        [{}, {"n": 1}, {"n": 1}, {"extra": 2}],
    ),
}


@pytest.mark.parametrize("kind", TRIED)
def test_one_departure_at_a_time_is_tried_from_the_least_message(kind: str) -> None:
    schema, values = TRIED[kind]
    assert repr(list(candidates(schema, FEW))) == repr(values)


def test_a_schema_that_names_no_kind_may_be_any() -> None:
    values = list(candidates({"description": "d"}, FEW))
    assert {type(value) for value in values} == {str, int, float, bool, type(None), list, dict}


BARE = Harvest(numbers=(), strings=(), others=(), counts=(), names=("a",))


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"type": "object", "required": ["a"], "properties": {"a": inner}},
        lambda inner: {"type": "object", "properties": {"a": inner}, "additionalProperties": False},
        lambda inner: {"type": "object", "additionalProperties": inner},
        lambda inner: {"type": "array", "prefixItems": [inner], "items": False},
        lambda inner: {"type": "array", "items": inner},
        lambda inner: {"type": "array", "contains": inner, "items": False},
        lambda inner: {"type": "array", "contains": inner, "items": False, "minContains": 1},
    ],
    ids=["required", "optional", "additional", "prefix", "items", "contains", "contains one"],
)
def test_what_is_deep_is_cut_off(around: Callable[[Json], Json]) -> None:
    """At the eighth level the value is known, below it is not looked for."""
    seen = []
    for depth in (8, 9):
        schema: Json = {"const": 8}
        for _ in range(depth):
            schema = around(schema)
        seen.append("8" in repr(list(candidates(schema, BARE))))
    assert seen == [True, False]


def test_alternatives_are_cut_off_as_well() -> None:
    inside: list[Json] = [{"const": 1}, {"const": 1}]
    for which, times in enumerate((8, 9)):
        for _ in range(times):
            inside[which] = {"allOf": [inside[which]]}
    assert [list(candidates(schema, FEW)) == [1] for schema in inside] == [True, False]


def test_no_more_than_so_many_values_of_a_part_are_tried() -> None:
    many = Harvest(numbers=tuple(range(40)), strings=(), others=(), counts=(), names=())
    items = list(candidates({"type": "array", "items": {"type": "integer"}}, many))
    assert items == [[], *([number] for number in range(MAX_VARIANTS)), list(range(MAX_VARIANTS))]


def test_the_clock_is_looked_at_for_each_part() -> None:
    looks: list[None] = []
    list(candidates({"type": "array", "items": {"allOf": [{"type": "null"}]}}, FEW, lambda: looks.append(None)))
    assert len(looks) == 8
