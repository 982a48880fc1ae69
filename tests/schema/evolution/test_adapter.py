"""What each step makes of a message: of one that it has nothing to do with, the same message."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.evolution.adapter import Adapter, Convert, Default, Drop, Rename, Step, Widen, Wrap, apply


@pytest.mark.parametrize(
    ("step", "message", "expected"),
    [
        (Widen(at=("a",)), {"a": 1, "b": 2}, {"a": "1", "b": 2}),
        (Widen(at=("a", "b")), {"a": {"b": True, "c": 1}}, {"a": {"b": "true", "c": 1}}),
        (Widen(at=("a", None, "b")), {"a": [{"b": 1}, {}, 7]}, {"a": [{"b": "1"}, {}, 7]}),
        (Default(name="a", value=7), {}, {"a": 7}),
        (Default(name="a", value=7), {"a": None}, {"a": None}),
        (Default(name="a", value=7, when="null"), {"a": None}, {"a": 7}),
        (Drop(name="a"), {"a": 1, "b": 2}, {"b": 2}),
        (Drop(name="a", when="null"), {"a": None}, {}),
        (Rename(name="a", to="z"), {"a": 1, "b": 2}, {"z": 1, "b": 2}),
        (Wrap(at=("a",)), {"a": 1}, {"a": [1]}),
        (Convert(at=(), to="boolean"), "true", True),
        (Convert(at=(), to="boolean"), "false", False),
        (Convert(at=(), to="integer"), 2.6, 3),
        (Convert(at=(), to="integer"), "-12", -12),
    ],
)
def test_a_step_changes_its_own_place(step: Step, message: Any, expected: Any) -> None:
    out = apply(Adapter((step,)), message)
    assert out == expected
    assert isinstance(out, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Widen(at=("a",)), {"b": 1}),
        (Widen(at=("a", "b")), {"a": 5}),
        (Widen(at=("a", "b")), {"a": {}}),
        (Widen(at=(None,)), {"a": 1}),
        (Widen(at=()), "text"),
        (Widen(at=()), 2.5),
        (Widen(at=()), None),
        (Default(name="a", value=7), {"a": 1}),
        (Default(name="a", value=7), [1]),
        (Default(name="a", value=7, when="null"), {}),
        (Default(name="a", value=7, when="null"), {"a": 1}),
        (Drop(name="a"), {"b": 1}),
        (Drop(name="a", when="null"), {}),
        (Drop(name="a", when="null"), {"a": 1, "b": None}),
        (Rename(name="a", to="z"), {"b": 1}),
        (Rename(name="a", to="z"), {"z": 1}),
        (Rename(name="a", to="z"), {"a": 1, "z": 2}),
        (Wrap(at=("a",)), {"a": [1]}),
        (Convert(at=(), to="boolean"), "yes"),
        (Convert(at=(), to="boolean"), 1),
        (Convert(at=(), to="integer"), "1.5"),
        (Convert(at=(), to="integer"), float("inf")),
    ],
)
def test_a_step_that_finds_nothing_to_do_leaves_the_message(step: Step, message: Any) -> None:
    assert apply(Adapter((step,)), message) == message
