"""The question of two schemas: what breaks the accepting one, way by way, and when a proof holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver.difference import SchemaPair, _ambiguous, refute
from claude_comm.schema.solver.result import Sat, Unknown, Unsat

THREE = {"type": "object", "properties": {name: {"const": 1} for name in "abc"}}


def question(produced: Any, accepted: Any) -> SchemaPair:
    left, right = (normalise(side, "draft2020-12") for side in (produced, accepted))
    return SchemaPair(left, right, Budget(600_000))


def tried(answer: bool, shown: Sequence[Any] = (), **options: int) -> list[str]:
    """The properties of the messages that are tried, where each is answered alike."""
    candidates = question({"type": "object"}, THREE).breaking(shown, **options)
    names = list[str]()
    try:
        message = next(candidates)
        while True:
            names += message
            message = candidates.send(answer)
    except StopIteration:
        return sorted(names)


def test_there_is_a_message_for_each_way_to_break_a_schema_that_none_before_shows() -> None:
    assert tried(True) == ["a", "b", "c"]
    assert tried(True, shown=[{"a": 2}]) == ["b", "c"]
    assert tried(True, shown=[{"a": 2, "b": 2}, {"c": 3}]) == []
    assert tried(False, shown=[{"a": 2}]) == ["b", "c"]


@pytest.mark.parametrize("patience", range(5))
def test_while_no_message_breaks_it_so_many_ways_are_tried(patience: int) -> None:
    assert len(tried(False, patience=patience)) == min(patience, 3)
    # Once one has, the others are tried as well.
    assert len(tried(True, patience=patience)) == (3 if patience else 0)
    assert len(tried(False, shown=[{"a": 2}], patience=patience)) == 2


def test_a_message_that_breaks_it_in_two_ways_is_one_of_both() -> None:
    candidates = question(
        {"required": ["a", "b"], "properties": {"a": {"const": 2}, "b": {"const": 2}}, **{"type": "object"}}, THREE
    )
    messages = candidates.breaking()
    first = next(messages)
    assert (first["a"], first["b"]) == (2, 2)
    assert list(messages.send(True)) == ["a", "b", "c"]


def test_a_pattern_that_nobody_can_read_is_unknown_and_breaks_nothing() -> None:
    pair = question({"type": "string"}, {"pattern": "("})
    result = pair.ask()
    assert isinstance(result, Unknown)
    assert result.keyword == "pattern"
    assert list(pair.breaking()) == []


ONE_CHARACTER = {"type": "string", "minLength": 1, "maxLength": 1}


@pytest.mark.parametrize(
    ("produced", "accepted", "outcome"),
    [
        # ECMA-262 does not find a carriage return with a dot.
        ({"type": "string", "pattern": "^[^\\n]$"}, {"pattern": "^.$"}, Unknown),
        ({**ONE_CHARACTER, "not": {"pattern": "^.$"}}, {"const": "\n"}, Unknown),
        ({"type": "string", "pattern": "^[^\\n\\r\\u2028\\u2029]$"}, {"pattern": "^.$"}, Unsat),
        ({"type": "string", "pattern": "^.$"}, {"pattern": "."}, Unsat),
        (ONE_CHARACTER, {"pattern": "^[^\\n]$"}, Sat),
        ({"type": "string", "pattern": "^a$"}, {"pattern": "a"}, Unsat),
    ],
)
def test_a_proof_holds_whichever_way_a_pattern_is_read(produced: Any, accepted: Any, outcome: type) -> None:
    budget = Budget(600_000)
    assert isinstance(refute(question(produced, accepted), budget), outcome)


def test_a_message_is_no_proof_and_needs_no_second_reading() -> None:
    budget = Budget(600_000)
    pair = question(ONE_CHARACTER, {"pattern": "^[.]$"})
    assert refute(pair, budget) == pair.ask()


@pytest.mark.parametrize(
    ("pattern", "ambiguous"), [(None, False), ("^a$", False), ("^.$", True), ("\\bx", True), ("(?!a)b", True)]
)
def test_a_second_reading_is_asked_for_where_readers_differ(pattern: str | None, ambiguous: bool) -> None:
    document = normalise({} if pattern is None else {"pattern": pattern}, "draft2020-12")
    assert _ambiguous(document) is ambiguous
