"""The ways to break a schema: each is one that the schema refuses, and each message that it refuses shows one."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver import violations as of_violations
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.violations import violations

ONE, TEXT, SMALL = {"const": 1}, {"type": "string"}, {"type": "integer", "maximum": 3}
# Two ways to break one value.
WORD = {"type": "string", "minLength": 2}


def question(produced: Any, accepted: Any) -> SchemaPair:
    left, right = (normalise(side, "draft2020-12") for side in (produced, accepted))
    return SchemaPair(left, right, Budget(60_000))


def shown(produced: Any, accepted: Any, messages: list[Any]) -> list[list[Any]]:
    """For each way to break the accepting side, those of the messages that do it so."""
    pair = question(produced, accepted)
    ways = list(violations(pair.resolver, pair.right, pair.left))
    for message in messages:
        refused = pair.resolver.holds(pair.right, message) is False
        assert refused or not any(pair.resolver.holds(way, message) for way in ways), message
    return [[message for message in messages if pair.resolver.holds(way, message)] for way in ways]


class Case(NamedTuple):
    produced: Any
    accepted: Any
    # One list for each way, in any order: messages that are refused so.
    shown: list[list[Any]]
    # Messages that the accepting side takes, or that it refuses as the producing side does.
    others: list[Any]


CASES = {
    "each property, and that it is there": Case(
        True,
        {"properties": {"a": ONE, "b": TEXT}, "required": ["c"]},
        [[{"a": 2, "c": 0}, {"a": 2, "b": 1, "c": 0}], [{"a": 2, "b": 1, "c": 0}, {"b": 1, "c": 0}], [{}]],
        [{"a": 1, "b": "", "c": 0}, 7, "text", [1]],
    ),
    "what both ask in the same words cannot be broken": Case(
        {"properties": {"a": WORD}, "required": ["a"]},
        {"properties": {"a": WORD, "b": ONE}, "required": ["a"]},
        [[{"a": "aa", "b": 2}]],
        [{"a": "aa"}, {"a": "aa", "b": 1}, {"a": "a"}, {}, 7],
    ),
    "each keyword of a property": Case(
        True, {"properties": {"a": WORD}}, [[{"a": 1}], [{"a": "a"}]], [{"a": "aa"}, {}, {"b": 1}, 7]
    ),
    "the other keyword of a property": Case(
        {"properties": {"a": {"type": "string"}}}, {"properties": {"a": WORD}}, [[{"a": "a"}]], [{"a": "aa"}, {}, 7]
    ),
    "another property in the same words": Case(
        {"properties": {"b": {"type": "string"}}},
        {"properties": {"a": WORD}},
        [[{"a": 1}], [{"a": "a"}]],
        [{"a": "aa"}, {}, 7],
    ),
    "each item by its place": Case(
        True,
        {"prefixItems": [ONE, WORD]},
        [[[2], [2, 1]], [[1, 1], [2, 1]], [[1, "a"]]],
        [[], [1], [1, "aa"], [1, "aa", 0], 7, {}],
    ),
    "an item in the same words": Case(
        {"prefixItems": [True, {"type": "string"}]},
        {"prefixItems": [ONE, WORD]},
        [[[2], [2, "a"]], [[1, "a"], [2, "a"]]],
        [[], [1], [1, "aa"], 7],
    ),
    "an item of another place in the same words": Case(
        {"prefixItems": [{"type": "string"}]},
        {"prefixItems": [True, WORD]},
        [[["", 1]], [["", "a"]]],
        [[], [""], ["", "aa"], 7],
    ),
    "each keyword of all items": Case(
        True, {"items": WORD}, [[[1], ["aa", 1]], [["a"], ["aa", "a"]]], [[], ["aa"], ["aa", "bb"], 7]
    ),
    "all items in the same words": Case(
        {"items": {"type": "string"}}, {"items": WORD}, [[["a"], ["aa", "a"]]], [[], ["aa"], 7]
    ),
    "all items in the same words, of fewer": Case(
        {"items": {"type": "string"}}, {"prefixItems": [ONE], "items": WORD}, [[[2]], [[1, "a"]]], [[], [1, "aa"], 7]
    ),
    "all items in the same words, of more": Case(
        {"prefixItems": [True], "items": {"type": "string"}},
        {"items": WORD},
        [[[1], [2, ""]], [["a"], ["aa", "a"], [2, ""]]],
        [[], ["aa"], 7],
    ),
    "items of which some may be anything": Case(
        {"contains": TEXT, "minContains": 0, "maxContains": 2},
        {"items": WORD},
        [[[1], ["aa", 1]], [["a"], ["aa", "a"]]],
        [[], ["aa"], 7],
    ),
    "through references and parts": Case(
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"minimum": 1}, {"$ref": "#/$defs/a"}]}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"minimum": 1}, {"maximum": 3}, {"multipleOf": 2}]}},
        },
        [[5], [3, 5, 1]],
        [2, "text"],
    ),
    "nothing to break": Case(WORD, True, [], [1, {}]),
    "everything breaks it": Case(True, False, [[1, {}]], []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_way_to_break_a_schema_is_shown_by_its_own_messages(case: Case) -> None:
    messages = [*case.others]
    for way in case.shown:
        messages += [message for message in way if message not in messages]
    found = shown(case.produced, case.accepted, messages)
    assert sorted(map(repr, found)) == sorted(
        repr([message for message in messages if message in way]) for way in case.shown
    )


@pytest.mark.parametrize("around", ["properties", "prefixItems", "items"])
def test_a_way_is_taken_apart_so_many_levels_down_and_no_further(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_violations, "MAX_LEVELS", 2)
    ways, message = list[int](), list[list[Any]]()
    schema, broken = WORD, [1, "a"]
    for _ in range(4):
        pair = question(True, schema)
        found = list(violations(pair.resolver, pair.right, pair.left))
        ways.append(len(found))
        message.append([sum(pair.resolver.holds(way, value) is True for way in found) for value in broken])
        schema = {around: {"a": schema} if around == "properties" else [schema] if around == "prefixItems" else schema}
        broken = [{"a": value} if around == "properties" else [value] for value in broken]
    assert ways == [2, 2, 2, 1]
    assert message == [[1, 1]] * 4
