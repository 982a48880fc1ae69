"""Which steps are thought of: where a name may come from, what is said of each, and what needs none."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.evolution.adapter import Convert, Default, Drop, Rename, Step, Widen, Wrap
from claude_comm.schema.evolution.candidate_steps import MAX_DEPTH, candidate_steps

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NULLABLE: dict[str, Any] = {"type": ["string", "null"]}


def record(required: list[str] | None = None, **properties: Any) -> Any:
    return {"type": "object", "properties": properties, "required": required or []}


def every(**properties: Any) -> Any:
    return record([*properties], **properties)


@pytest.mark.parametrize(
    ("produced", "accepted", "steps"),
    [
        # An integer is a number, null is no text, and what both have in common needs nothing.
        (WHOLE, {"type": "number"}, []),
        (WHOLE, {"type": ["number", "string"]}, []),
        (NULLABLE, TEXT, []),
        (WHOLE, TEXT, [Widen(at=())]),
        ({"type": "number"}, TEXT, [Convert(at=(), to="string")]),
        (TEXT, WHOLE, [Convert(at=(), to="integer")]),
        (TEXT, {"type": "array", "items": WHOLE}, [Wrap(at=()), Convert(at=(None,), to="integer")]),
        # The name that is most alike, none that both know, and none twice.
        (every(zzz=TEXT, user_id=TEXT), every(userId=TEXT), [Rename(name="user_id", to="userId")]),
        (every(user_id=TEXT), every(userId=TEXT, user_id=TEXT), []),
        (every(user_id=TEXT), every(userId=TEXT, userID=TEXT), [Rename(name="user_id", to="userId")]),
        (every(first_name=TEXT), every(last_name=TEXT), []),
        # Exactly as much alike as is asked for: 9 of 12 and 13 letters.
        (every(abcdefghixxx=TEXT), every(abcdefghiyyyy=TEXT), [Rename(name="abcdefghixxx", to="abcdefghiyyyy")]),
        (every(user_id=TEXT), record(userId=TEXT), []),
        # At its own place, with what the consumer declares.
        (
            every(o=every(a=NULLABLE)),
            every(o=every(a={**TEXT, "default": "-"})),
            [Default(at=("o",), name="a", value="-", when="null")],
        ),
        (every(o=every(a=NULLABLE)), every(o=record(a=TEXT)), [Drop(at=("o",), name="a", when="null")]),
        (every(a=TEXT), record(a=TEXT), []),
        (every(a=TEXT), record(a={**TEXT, "default": "-"}), []),
        (every(a=NULLABLE), record(a={**NULLABLE, "default": "-"}), []),
        (record(a=TEXT), every(a={**TEXT, "default": "-"}), [Default(name="a", value="-")]),
        (record(a=TEXT), every(a=TEXT), []),
    ],
)
def test_the_steps_that_are_thought_of(produced: Any, accepted: Any, steps: list[Step]) -> None:
    assert [idea.step for idea in candidate_steps(produced, accepted, {})] == steps


@pytest.mark.parametrize(
    ("produced", "accepted", "sentence"),
    [
        (WHOLE, TEXT, "`$` is written out as text"),
        (every(a=TEXT), every(a={"type": "array"}), "`$.a` is put into an array"),
        (
            every(a={"type": "array", "items": record(b=TEXT)}),
            every(a={"type": "array", "items": record(b=WHOLE)}),
            "`$.a[*].b` is read as integer, which may lose or miss",
        ),
        (
            every(o=record(x=TEXT)),
            every(o={**record(), "additionalProperties": False}),
            "`x` is left out in `$.o`: the consumer knows no such name",
        ),
        (record(a=TEXT), every(a={**TEXT, "default": 1}), "`a` is given its declared default where it is missing"),
    ],
)
def test_a_step_says_what_it_does_and_where(produced: Any, accepted: Any, sentence: str) -> None:
    assert [idea.sentence for idea in candidate_steps(produced, accepted, {})] == [sentence]


@pytest.mark.parametrize(("levels", "count"), [(MAX_DEPTH, 1), (MAX_DEPTH + 1, 0)])
def test_deeper_places_are_left_to_a_person(levels: int, count: int) -> None:
    produced, accepted = WHOLE, TEXT
    for _ in range(levels):
        produced, accepted = every(a=produced), every(a=accepted)
    assert len(list(candidate_steps(produced, accepted, {}))) == count
