"""A producer that lists its messages: proved only where both validators take each of them."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Compatible
from claude_comm.schema.budget import Budget
from claude_comm.schema.containment import check as stage
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.dialect import DEFAULT

LISTED, TAKES_ALL = {"enum": ["a", "b"]}, {"type": "string"}


def verdict(monkeypatch: pytest.MonkeyPatch, said: dict[str, tuple[bool | None, bool | None]]) -> Any:
    """What is concluded where the validators say this of each message: whether it is sent, and taken."""
    budget = Budget(1_000)
    left, right = side_of(LISTED, DEFAULT, budget.tick), side_of(TAKES_ALL, DEFAULT, budget.tick)
    monkeypatch.setattr(stage.confirm, "accepts", lambda side, value, _tick: said[value][side is right])
    return stage._listed(left, right, False, budget)


def test_each_message_is_taken_or_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ((True, True), (False, False), (False, None)):
        assert isinstance(verdict(monkeypatch, {"a": (True, True), "b": other}), Compatible)


@pytest.mark.parametrize("other", [(True, None), (None, True), (None, False), (None, None)])
def test_one_of_which_the_validators_cannot_tell_leaves_it_open(
    monkeypatch: pytest.MonkeyPatch, other: tuple[bool | None, bool | None]
) -> None:
    assert verdict(monkeypatch, {"a": (True, True), "b": other}) is None
