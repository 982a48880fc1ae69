"""What users import is bounded in real time: by a clock, and not by steps that a slow machine takes its time for."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from claude_comm.schema import Undecided, adapt, bounded, check, diff

OLD = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(x|y)*z$"}}, "required": ["a"]}
NEW = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[xy]*z$"}}, "required": ["a", "b"]}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which an hour passes between two looks at the clock."""
    hours = itertools.count(step=3_600)
    monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=lambda: next(hours)))


@pytest.mark.usefixtures("slow")
def test_a_check_ends_when_its_time_is_over() -> None:
    assert isinstance(check(OLD, NEW), Undecided)


@pytest.mark.usefixtures("slow")
def test_a_diff_ends_when_its_time_is_over() -> None:
    assert isinstance(diff(OLD, NEW).for_producers, Undecided)


@pytest.mark.usefixtures("slow")
def test_proposals_end_when_their_time_is_over() -> None:
    assert all(isinstance(each.verdict, Undecided) for each in adapt(OLD, NEW))
