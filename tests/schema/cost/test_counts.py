"""Counts that can be told by hand: of values, evaluations, paths and steps."""

from __future__ import annotations

import math
from typing import Any

import pytest

from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.cost import backtracking
from claude_comm.schema.cost.backtracking import ENOUGH, by_choices, by_paths, may_be_empty
from claude_comm.schema.cost.path_growth import PathGrowth, count, error_cost, measured, path_growth
from claude_comm.schema.cost.pattern_cost import has_lookaround, scannable, searchable
from claude_comm.schema.cost.unevaluated_paths import too_many_paths
from claude_comm.schema.cost.validation_cost import Cost, _Evaluations, circular, cost_of, quick_cost, size_of
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.regex import parser
from tests.support.exploding import doubling, nested, returning
from tests.support.walker import Walker


def document(schema: Any) -> Document:
    return normalise(schema, DEFAULT)


def bare(schema: Any) -> Document:
    return Document(schema=schema, origins={}, opaque=False, lexical=False, dynamic=False)


def no_tick() -> None:
    pass


def ticks_left(steps: int) -> Any:
    """What counts so many steps, and then ends the work."""
    return Budget(steps / 40).tick


MESSAGES: list[tuple[Any, tuple[int, int, int], int]] = [
    (None, (1, 1, 8), 1),
    ("xyz", (1, 1, 3), 1),
    ([], (1, 1, 0), 1),
    ({}, (1, 1, 0), 1),
    ({"ab": [1, "xyz"], "c": True}, (5, 3, 22), 7),
    ([{"a": 1}, 2, {"bc": ""}, [[]]], (8, 3, 19), 10),
]


@pytest.mark.parametrize(("message", "size", "with_names"), MESSAGES)
def test_a_message_has_values_levels_and_characters(message: Any, size: tuple[int, int, int], with_names: int) -> None:
    assert measured(message) == size
    assert size_of(message) == with_names


@pytest.mark.parametrize("message", [[0] * 9, {str(at): 0 for at in range(5)}, [[0] * 5] * 2, [{"a": 0}] * 4, [[]] * 9])
def test_of_a_large_message_it_is_told_that_it_is_larger_and_no_more(message: Any) -> None:
    assert size_of(message, 100) > 9
    assert size_of(message, 9) == 10
    assert size_of(message, size_of(message)) == size_of(message)


class Name(str):
    """A text that is none of the decoder's, as a program may hand over."""

    __slots__ = ()


def test_a_value_of_a_class_of_its_own_counts_as_one() -> None:
    assert size_of([Name("several"), 1]) == size_of(["several", 1]) == 3


ITEMS = {"type": "array", "items": {"type": "integer"}}
CHAIN = {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}


@pytest.mark.parametrize(
    ("schema", "message", "evaluations", "depth"),
    [
        (ITEMS, [1, 2], 3, 2),
        (ITEMS, 1, 1, 1),
        (
            {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}},
            {"a": 1, "b": 2},
            3,
            2,
        ),
        ({"anyOf": [{"minimum": 1}, {"items": {"minimum": 1}}, {"items": {"type": "string"}}]}, [1], 6, 3),
    ],
)
def test_evaluations_are_counted_to_the_last(schema: Any, message: Any, evaluations: int, depth: int) -> None:
    cost = cost_of(document(schema), message, no_tick, enough=0)
    assert cost is not None
    assert cost.evaluations >= evaluations
    assert depth <= cost.depth <= depth + 2
    glance = quick_cost(document(schema), message)
    assert glance is not None
    assert glance.evaluations >= evaluations
    assert glance.depth >= depth


def lists(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def test_a_recursion_is_counted_as_deep_as_the_message_and_given_up_beyond() -> None:
    costs = [cost_of(document(CHAIN), lists(levels), no_tick) for levels in (0, 1, 10)]
    assert [cost and cost.evaluations for cost in costs] == sorted({cost.evaluations for cost in costs if cost})
    per_level = costs[1].depth - costs[0].depth  # type: ignore[union-attr]
    assert costs[2] is not None
    assert costs[2].depth == costs[0].depth + 10 * per_level  # type: ignore[union-attr]
    assert cost_of(document(CHAIN), lists(100), no_tick) is None
    assert quick_cost(document(CHAIN), []) is None


def test_a_value_that_was_looked_at_is_given_up_where_it_stands_too_deep() -> None:
    """The same list stands near the top and at the end of a long way."""
    shared = lists(25)
    deep: Any = shared
    for _ in range(30):
        deep = [deep]
    assert cost_of(document(CHAIN), shared, no_tick) is not None
    assert cost_of(document(CHAIN), [shared, deep], no_tick) is None
    assert cost_of(document(CHAIN), [deep, shared], no_tick) is None


def test_a_circle_in_place_has_no_cost() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    assert cost_of(bare(circle), 1, no_tick) is None


def test_a_count_takes_steps_and_ends_with_them() -> None:
    with pytest.raises(OutOfBudget):
        cost_of(document(CHAIN), lists(20), ticks_left(5))
    with pytest.raises(OutOfBudget):
        cost_of(document(ITEMS), [1], ticks_left(0))
    assert count(document(ITEMS), [1, 2]) is not None
    assert count(document(CHAIN), lists(100)) is None
    assert count(document(CHAIN), [[] for _ in range(12_000)]) is None


def in_place(*pairs: tuple[str, list[str]]) -> Document:
    """Definitions by the names that they refer to in place."""
    definitions = {name: {"allOf": [{"$ref": f"#/$defs/{other}"} for other in others]} for name, others in pairs}
    return bare({"$defs": definitions})


@pytest.mark.parametrize(
    ("pairs", "circle"),
    [
        ([("a", ["a"])], {"a"}),
        ([("a", ["b"]), ("b", ["a"])], {"a", "b"}),
        ([("a", ["b", "c"]), ("b", ["d"]), ("c", ["d"]), ("d", [])], set()),
        ([("a", ["b"]), ("b", []), ("c", ["d"]), ("d", ["c"])], {"c", "d"}),
        ([("a", ["b"]), ("b", ["c"]), ("c", ["b"])], {"b", "c"}),
        ([("a", [f"b{at}" for at in range(3)]), *((f"b{at}", []) for at in range(3))], set()),
    ],
)
def test_definitions_that_lead_back_to_themselves_are_found(pairs: Any, circle: set[str]) -> None:
    found = circular(in_place(*pairs))
    assert (found in circle) if circle else found is None


def unevaluated(schema: Any) -> Any:
    return {**schema, "unevaluatedProperties": False}


HERE, LEVELS = "https://example.com/here", doubling(30, "allOf")["$defs"]


@pytest.mark.parametrize(
    ("schema", "many"),
    [
        ({"allOf": [{"type": "object"}]}, False),
        (doubling(30, "allOf"), False),
        (unevaluated(doubling(6, "allOf")), False),
        (unevaluated(doubling(30, "allOf")), True),
        (unevaluated({**doubling(30, "allOf"), "allOf": [{}, True]}), True),
        (unevaluated({"allOf": [{"$ref": "#/$defs/a0"}, True], "$defs": doubling(30, "allOf")["$defs"]}), True),
        (unevaluated({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}), False),
        ({"properties": {"a": unevaluated(doubling(30, "anyOf"))}, "$defs": doubling(30, "anyOf")["$defs"]}, True),
        ({"default": unevaluated({}), **doubling(30, "allOf")}, False),
        (unevaluated({"x-own": [1, {"a": []}]}), False),
        # By an address, an anchor, and an address within another document.
        (unevaluated({"$id": HERE, "allOf": [{"$ref": f"{HERE}#/$defs/a0"}], "$defs": LEVELS}), True),
        (
            unevaluated(
                {"allOf": [{"$ref": "#first"}], "$defs": {**LEVELS, "b": {"$anchor": "first", **LEVELS["a0"]}}}
            ),
            True,
        ),
        (unevaluated({"$ref": HERE, "$defs": {"b": {"$id": HERE, "$ref": "#/$defs/a0", "$defs": LEVELS}}}), True),
        (unevaluated({"$ref": HERE, "$defs": {"b": {"$id": HERE, "$ref": "#/$defs/a0"}, **LEVELS}}), False),
        # What stands in data has no address.
        (unevaluated({"$ref": HERE, "const": {"$id": HERE, "$ref": "#/$defs/a0", "$defs": LEVELS}}), False),
    ],
)
def test_paths_to_what_is_unevaluated_are_followed_where_something_asks(schema: Any, many: bool) -> None:
    assert too_many_paths(schema) is many


def test_evaluations_are_added_up_of_one_schema_and_what_it_holds() -> None:
    shared = document({"properties": {"a": {"type": "string"}, "b": {"allOf": [{}, {"minimum": 1}]}}})
    assert _Evaluations(shared, no_tick).of(shared.schema, {"a": "x", "b": 2, "c": 3}, 0) == Cost(5, 3)


def test_without_a_pattern_nothing_is_searched() -> None:
    assert searchable(document({"type": "string"}), "x", no_tick) is True


ENUM = {"items": {"enum": [str(at) for at in range(2_000)]}}


@pytest.mark.parametrize(
    ("schema", "message", "named"),
    [
        (ITEMS, ["x"], "all"),
        (ITEMS, [10**30], "all"),
        (ITEMS, [10**30, *["x"] * 51_000], "first"),
        (ITEMS, ["x"] * 51_000, "first"),
        (ENUM, ["x"] * 100, "all"),
        (ENUM, ["x"] * 5_000, "first"),
        (returning(2), nested(4), "all"),
        (returning(3), nested(24), "none"),
        # As deep, and looked at nowhere.
        (returning(3), {"c": nested(24)}, "all"),
        (doubling(30, "anyOf"), 1, "none"),
        ({"items": {"type": "integer"}}, ["x" * 1_000] * 9_000, "all"),
        (ITEMS, "x" * 10**7, "all"),
    ],
)
def test_errors_are_named_as_far_as_they_are_had_soon(schema: Any, message: Any, named: str) -> None:
    assert error_cost(document(schema)).named(message) == named


def test_a_schema_that_is_true_or_false_is_visited_once() -> None:
    for schema in (True, False):
        assert path_growth(bare(schema)) == PathGrowth(visits=1, ways=1)


@pytest.mark.parametrize(
    ("schema", "ways"),
    [
        ({"propertyNames": {"$ref": "#"}, "items": {"$ref": "#"}}, 1),
        ({"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "b": {"$ref": "#"}}}, 2),
        ({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}, 3),
        ({"prefixItems": [{"$ref": "#"}, {"$ref": "#"}], "items": {"$ref": "#"}}, 1),
    ],
)
def test_ways_that_cannot_meet_are_not_added(schema: Any, ways: int) -> None:
    assert ways <= path_growth(document(schema)).ways <= ways + 1


WALKED = [
    *("a", "ab", "a|b", "a*", "a+b", "(?:a|b)*", "(?:a*b)*", "a{2}", "a{1,2}b", "(?:ab?){2,}", "^a", "^(?:a|b?c)*$"),
    *("a?a?a", "(?:a|ab)(?:b|)", "[ab]{0,3}b", "(?:^|b)a", "b$|a", "(?:a?){3}b"),
]


@pytest.mark.parametrize("source", WALKED)
@pytest.mark.parametrize("text", ["", "a", "ab", "acac", "aabba"])
def test_paths_are_counted_as_they_are_walked(source: str, text: str) -> None:
    tree = parser.parse(source, reading="runtime")
    walked = Walker(text).search(tree)
    assert walked <= by_paths(tree, text, ENOUGH) <= 2 * walked + 2 * len(text) + 4
    assert walked <= by_choices(source, len(text)) <= ENOUGH


def test_an_end_stands_before_a_last_line_break_and_nowhere_else() -> None:
    """Each step behind `$` is one of some engine."""
    tree = parser.parse("a$[^x][^x]", reading="runtime")
    steps = {text: by_paths(tree, text, ENOUGH) for text in ("a\n", "ab", "a\nb", "a")}
    assert steps["a\n"] > steps["ab"]
    assert steps["a\nb"] == steps["ab"] + 1
    anywhere, nowhere = (parser.parse(source, reading="runtime") for source in (r"\b[ab]", "^^[ab]"))
    assert by_paths(anywhere, "abab", ENOUGH) > by_paths(nowhere, "abab", ENOUGH)


@pytest.mark.parametrize(
    ("source", "empty"),
    [
        *(("a", False), ("", True), ("a*", True), ("a+", False), ("a|", True), ("a|b", False), ("^", True)),
        *(("(?=a)", True), ("(?:a?)+", True), ("a?b", False), ("a?b?", True), ("(?:a|b*)", True), ("a{0}", True)),
    ],
)
def test_what_may_match_without_a_character(source: str, empty: bool) -> None:
    assert may_be_empty(parser.parse(source, reading="runtime")) is empty


def test_a_place_is_visited_as_often_as_the_schemas_there_are() -> None:
    three = {"anyOf": [{"minimum": 1}, {"maximum": 2}, {"multipleOf": 3}]}
    for schema in (
        {"properties": {"a": three, "b": {"type": "null"}}},
        {"properties": {"b": {"type": "null"}, "a": three}},
    ):
        assert path_growth(document(schema)).visits >= 4


@pytest.mark.parametrize(
    "source", ["(?:a+)+b", "(?:a*)*b", "(?:a|a)*b", "(?:a{1,2})*b", "(?:a+c?)*b", "(?:(?:a|a)c?){30,}b", "(?:a|a){40}b"]
)
def test_what_doubles_at_each_character_is_beyond_what_is_enough(source: str) -> None:
    assert by_choices(source, 60) == ENOUGH


@pytest.mark.parametrize("loop", ["a*", "a+", "a{0,99}"])
def test_loops_one_after_the_other_share_out_the_characters_in_every_way(loop: str) -> None:
    assert by_choices(loop * 6 + "b", 60) >= math.comb(60, 6)


def test_a_run_of_characters_is_looked_at_from_each_start() -> None:
    tree = parser.parse("[ab]{20}", reading="runtime")
    assert by_choices("[ab]{20}", 40) >= Walker("a" * 40).search(tree)


def test_what_looks_behind_is_counted_from_every_place_and_what_looks_ahead_from_where_it_stands() -> None:
    behind, ahead = (parser.parse(source, reading="runtime") for source in ("b(?<=ab)", "b(?=ab)"))
    text = "aaaaaaaab"
    # `b` from each place, behind the one that is found `a` from each place, and `b` behind each `a`.
    assert by_paths(behind, text, ENOUGH) == 10 + 10 + 8
    assert by_paths(ahead, text, ENOUGH) < 2 * len(text)


@pytest.mark.parametrize(("source", "length"), [("(?:a+)+b", 100), ("(?:a|b)*" * 30, 10), ("(a)\\1", 1)])
def test_no_count_goes_beyond_what_is_enough(source: str, length: int) -> None:
    assert by_choices(source, length) == ENOUGH


@pytest.mark.parametrize(("source", "length"), [("a", 0), ("a", 9), ("^a*$", 9), ("a{3}", 9), ("(?:ab|c)d", 9)])
def test_what_has_few_choices_is_counted_as_little(source: str, length: int) -> None:
    assert by_choices(source, length) <= 2 * (length + 2) ** 4


def test_a_search_beyond_the_limit_is_told_from_one_within() -> None:
    text = "a" * 30
    tree = parser.parse("(?:a|a)*b", reading="runtime")
    assert by_paths(tree, text, 1_000) > 1_000
    single = parser.parse("a*b", reading="runtime")
    exact = by_paths(single, text, ENOUGH)
    assert by_paths(single, text, exact) == exact
    assert by_paths(single, text, exact - 1) > exact - 1
    assert by_paths(single, "a" * 300_000, ENOUGH) == ENOUGH
    assert by_paths(parser.parse("[ab]{3}", reading="runtime"), "a" * 190_000, ENOUGH) == ENOUGH


def test_of_a_back_reference_each_door_that_is_open_doubles_the_steps() -> None:
    steps = {source: backtracking.steps(source, "ab", ENOUGH) for source in (r"(a)\1", r"(a?)\1", r"(a|b)\1")}
    assert steps[r"(a?)\1"] == steps[r"(a|b)\1"] == 2 * steps[r"(a)\1"]
    assert backtracking.steps(r"(a)\1", "abc", ENOUGH) == 4 * steps[r"(a)\1"]
    assert backtracking.steps(r"(a)\1", "a" * 50, 10) == backtracking.steps(r"(a){2}\1", "", 10) > ENOUGH


LOOKING = {"properties": {"a": {"pattern": "^b"}, "c": {"pattern": "(?:x+)+(?=y)"}}}


def test_look_around_is_found_in_any_pattern_and_nowhere_else() -> None:
    assert has_lookaround(document(LOOKING)) is True
    assert has_lookaround(document({"pattern": r"(a)\1"})) is True
    assert has_lookaround(document({"pattern": "^(?:a|b)$"})) is False
    assert has_lookaround(document({"type": "string"})) is False


def test_a_message_is_scanned_where_no_look_around_takes_long() -> None:
    loop = {"properties": {"c": {"pattern": "(?:x+)+y"}}}
    assert scannable(document(loop), {"c": "x" * 60}, no_tick)
    assert scannable(document(LOOKING), {"c": "xxy", "a": "x" * 60}, no_tick)
    assert not scannable(document(LOOKING), {"c": "x" * 60}, no_tick)


DOUBLES = "^(?:a+)+$"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"pattern": DOUBLES}, "a" * 60),
        ({"items": {"pattern": DOUBLES}}, [True, "b", "a" * 60]),
        ({"properties": {"x": {"items": {"properties": {"y": {"pattern": DOUBLES}}}}}}, {"x": [{"y": "a" * 60}]}),
        ({"properties": {"x": {"patternProperties": {DOUBLES: True}}}}, {"x": {"a" * 60: 1}}),
        ({"anyOf": [True, {"pattern": "^b"}, {"pattern": DOUBLES}]}, "a" * 60),
        ({"additionalProperties": {"pattern": DOUBLES}}, {"p": 1, "q": "a" * 60, "r": "b"}),
    ],
)
def test_a_search_that_takes_long_is_found_wherever_the_pattern_meets_the_text(schema: Any, message: Any) -> None:
    assert not searchable(document(schema), message, no_tick)
    with pytest.raises(OutOfBudget):
        searchable(document(schema), message, ticks_left(0))
    assert searchable(document({"required": ["x"], **schema, "pattern": "^a"}), 5, no_tick)


def test_a_schema_that_is_true_hides_no_pattern_before_it() -> None:
    assert not searchable(bare({"anyOf": [{"pattern": DOUBLES}, True]}), "a" * 60, no_tick)


def test_a_cost_has_evaluations_and_depth() -> None:
    assert cost_of(document({"type": "integer"}), 1, no_tick, enough=0) == Cost(1, 1)


def test_an_address_that_is_none_adds_no_path() -> None:
    schema = {"$id": "https://example.com/s", "unevaluatedProperties": False, "allOf": [{"$ref": "http://["}]}
    assert not too_many_paths(schema)


def test_a_look_in_a_loop_branches_as_what_it_looks_for() -> None:
    assert by_choices("(?:(?=a|b)[ab])*c", 70) == ENOUGH
    assert by_choices("(?:(?=a)[ab])*c", 70) <= 2 * 72**4
