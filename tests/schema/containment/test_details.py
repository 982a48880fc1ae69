"""Single lines of the comparison that no verdict shows: a later stage says the same, more slowly."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.containment.outlines import Outlines
from claude_comm.schema.containment.residual import residual
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise


@pytest.mark.parametrize("keyword", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
@pytest.mark.parametrize(("ours", "wanted"), [(5, 5.0), (5.0, 5)])
def test_a_bound_is_implied_by_the_same_one_written_in_another_way(keyword: str, ours: float, wanted: float) -> None:
    produced, accepted = ({"type": "number", keyword: bound} for bound in (ours, wanted))
    assert residual(normalise(produced, DEFAULT), normalise(accepted, DEFAULT)) is True


@pytest.mark.parametrize(
    ("further", "names"),
    [
        ({}, None),
        ({"additionalProperties": False}, {"a"}),
        ({"additionalProperties": {"type": "string"}}, None),
        ({"additionalProperties": False, "patternProperties": {"^x": {}}}, None),
        ({"patternProperties": {}}, None),
        ({"additionalProperties": False, "patternProperties": {}}, {"a"}),
    ],
)
def test_the_names_of_an_object_are_known_only_if_it_is_closed(further: dict[str, Any], names: set[str] | None) -> None:
    assert Outlines({}).of({"type": "object", "properties": {"a": {}}, **further}).names == names
