"""What users import is bounded in real time: by a clock, and not by steps that a slow machine takes its time for."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from claude_comm.errors import ConfigurationError, SchemaError
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


@pytest.mark.parametrize("aliases", [["a"], {"a": "b"}, {1: ["b"]}, {"a": [1]}])
def test_aliases_of_another_form_are_refused_by_what_they_are(aliases: Any) -> None:
    with pytest.raises(ConfigurationError, match="a mapping of names to lists of names"):
        adapt({"type": "object"}, {"type": "object"}, aliases=aliases)


@pytest.mark.parametrize("schema", [{"properties": {1: True}}, {"allOf": [{"$ref": "#"}] * 20_000}, {"$schema": 4}])
def test_a_schema_beyond_what_json_and_the_limits_allow_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError):
        check(schema, True)
