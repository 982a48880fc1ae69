"""What a new contract means: the worst counts, and what nobody could look at is never called safe."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.impact import documents, history, observed, shapes
from claude_comm.impact.effects import Effect, FailingMessage, Impact, worst
from claude_comm.impact.replay import Evidence, Replay
from claude_comm.impact.sensitive import NOTHING, marks
from claude_comm.impact.shapes import MAX_DEPTH, Payload, Shapes
from claude_comm.impact.weigh import Declared, answers, effects
from claude_comm.negotiation.agreement import Question
from claude_comm.registry.contracts import contract
from claude_comm.schema.opaque import OPAQUE
from tests.support.facts import envelope

INT, TEXT, LIST = {"type": "integer"}, {"type": "string"}, {"type": "array", "minItems": 2}
CODE = {**INT, OPAQUE: "a validator decides"}


def shapes_of(values: list[Any]) -> Shapes:
    made = Shapes()
    made.absorb([Payload(str(number), number, value) for number, value in enumerate(values)], NOTHING)
    return made


def receiving(accepted: Any, **facts: Any) -> Effect:
    """What it means for a partner that sends integers, given what became of its messages."""
    question = Question(producer="a", consumer="b", type="t", produced=INT, accepted=accepted)
    partner = Declared(partner="a", type="t", direction="receives", question=question)
    (effect,) = effects(answers([partner]), {("a", "t"): Evidence(**facts)}, contract("b"), None)
    return effect


@pytest.mark.parametrize(
    ("accepted", "facts", "status", "why"),
    [
        (INT, {}, "safe", "proved"),
        (CODE, {"fitting": 3}, "undecided", ""),
        (LIST, {}, "broken", ""),
        (LIST, {"fitting": 3}, "theoretical", "has not in 3 message(s)"),
        (LIST, {"fitting": 3, "unknown": 2}, "undecided", "2 message(s) could not be looked at"),
    ],
)
def test_what_is_there_counts_more_than_what_is_declared(accepted: Any, facts: Any, status: str, why: str) -> None:
    effect = receiving(accepted, **facts)
    assert effect.status == status
    assert why in effect.why


def test_of_nothing_nothing_is_known() -> None:
    assert worst([]) == "undecided"
    assert worst(["safe", "broken", "adapted"]) == "broken"


def test_a_sender_of_whom_nothing_is_there_is_nobody_and_a_type_that_goes_is_not_answered() -> None:
    old = contract("b", accepts={"t": INT, "gone": INT}, replies={"t": INT, "gone": INT})
    new = contract("b", accepts={"t": INT}, replies={"t": INT})
    found = list(effects([], {("a", "t"): Evidence()}, new, old))
    assert "a" not in {effect.partner for effect in found}
    assert [effect.type for effect in found if effect.direction == "answers"] == ["t"]


def test_history_of_a_type_that_is_not_accepted_any_more_is_open() -> None:
    both = list(shapes_of([1, "a"]).by_key.values())
    assert history.weigh(both, None) == history.Weighed([], both)
    assert history.weigh(both, {"type": "no such type"}).clear == []
    assert history.weigh([], INT) == history.Weighed([], [])


def test_a_message_of_a_type_that_neither_contract_has_was_refused_before() -> None:
    replay = Replay(contract("b", accepts={"t": INT}), contract("b", accepts={"t": INT, "old": INT}))
    replay.envelopes([envelope("a", "b", type="old", data=1), envelope("a", "b", type="none", data=1)], "pending")
    (failing,) = replay.evidence["a", "old"].failing.values()
    assert (failing.path, failing.why) == ("$", "'old' messages are not accepted.")
    assert replay.evidence["a", "none"].refused_before == 1


def test_a_schema_of_true_marks_nothing_as_sensitive() -> None:
    declared = contract("b", accepts={"t": {"properties": {"a": True, "b": {"x-sensitive": True}}}})
    hidden = marks(declared.accepts["t"])
    assert (hidden.hides(("a",)), hidden.hides(("b",))) == (False, True)


def test_shapes_of_very_many_kinds_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of signatures is forgotten when there are too many, and counts nothing twice."""
    monkeypatch.setattr(shapes, "MAX_SHAPES", 4)
    values: list[Any] = [[1] * (number % 2) + ["a"] * (number % 3) for number in range(12)]
    values += [{"a": value, f"n{number}": value} for number, value in enumerate(values * 6)]
    made = shapes_of(values)
    assert sum(shape.count for shape in made.by_key.values()) == len(values)
    assert len(made.by_key) <= 4


def test_what_is_nested_too_deep_has_a_shape_of_which_nothing_is_known() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = {"a": {"b": deep}}
    (shape,) = shapes_of([deep]).by_key.values()
    assert shape.count == 1


def test_bounds_that_were_not_known_stay_so() -> None:
    facts = observed.PathFacts()
    observed.absorb(facts, [1, 2], marks({"x-sensitive": True}), {})
    observed.absorb(facts, [9], NOTHING, {})
    assert (facts.types["integer"].low, facts.types["integer"].count) == (None, 3)


def test_a_map_inside_a_map_is_folded_too() -> None:
    facts = observed.PathFacts()
    observed.absorb(facts, [{"x": {"a": 1}}, {"y": {"b": 2}}], NOTHING, {(): frozenset()})
    observed.folded(facts, (observed.ANY_NAME,), frozenset())
    assert sorted(observed.paths(facts)) == [((), "object"), (("*",), "object"), (("*", "*"), "integer")]


def impact(*found: Effect) -> Impact:
    return Impact(
        module="b", version="2.0.0", before="1.0.0", namespace="n", days=7, status=worst(e.status for e in found),
        sentence="so it is.", effects=list(found), coverage=[],
    )  # fmt: skip


def test_the_pages_name_what_would_be_refused_and_say_how_many_more_there_are() -> None:
    failing = [FailingMessage(id=str(number), source="a", type="t", where="pending") for number in range(103)]
    safe = Effect(partner="a", direction="receives", type="t", status="safe", why="proved.")
    broken = Effect(
        partner="c", direction="receives", type="t", status="broken", why="no.", witness="x" * 999, failing=failing
    )
    text = documents.markdown(impact(safe, broken))
    assert "and 3 more" in text
    assert "<details>" not in documents.markdown(impact(safe))
    assert (documents.witness(safe), len(documents.witness(broken))) == ("", documents.SHOWN)
    report = documents.junit(impact(safe, broken))
    assert report.count("<testcase") == 2
    assert report.count("<failure") == 1
