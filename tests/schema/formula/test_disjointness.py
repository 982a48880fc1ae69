"""Forms of a union that a glance tells apart share no value, and of no others is that said."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.formula.disjointness import disjoint, outline
from claude_comm.schema.formula.factory import FormulaFactory
from claude_comm.schema.formula.keyword_rules import translator
from claude_comm.schema.normalform.normalize import normalise

UNNAMED = {"patternProperties": {"^x": {"const": 1}}, "type": "object"}


def tag(value: Any, name: str = "k", **more: Any) -> Any:
    """An object that has the property, which is the value or one of them."""
    listed = value if isinstance(value, list) else [value]
    return {**more, "type": "object", "required": [name], "properties": {name: {"enum": listed}}}


APART: dict[str, tuple[Any, Any]] = {
    "two kinds": ({"type": "string"}, {"type": ["number", "null"]}),
    "an object and a number": (tag("a"), {"const": 1}),
    "two tags": (tag("a"), tag("b")),
    "tags of several words": (tag(["a", "b"]), tag(["c", "d"])),
    "two numbers": (tag(1), tag(2)),
    "true and false": (tag(True), tag(False)),
    "tags of two kinds": (tag("a"), tag(1)),
    "one of two properties": ({"allOf": [tag("a", "k"), tag("a", "l")]}, {"allOf": [tag("a", "k"), tag("b", "l")]}),
    "a property that the other form has among more": (tag("a"), {"allOf": [tag(1, "l"), tag("b")]}),
    "beside a pattern for names": ({"allOf": [UNNAMED, tag("a")]}, {"allOf": [UNNAMED, tag("b")]}),
}
TOGETHER: dict[str, tuple[Any, Any]] = {
    "one kind": ({"type": "string"}, {"type": ["string", "null"]}),
    "the same tag": (tag("a"), tag("a")),
    "a word in common": (tag(["a", "b"]), tag(["b", "c"])),
    "a number in common": (tag([1, 2]), tag([2.0, 3])),
    "a boolean in common": (tag(True), tag(True)),
    "a tag that may be missing": (tag("a"), {"type": "object", "properties": {"k": {"const": "b"}}}),
    "a tag that is no constant": (tag("a"), {**tag("b"), "properties": {"k": {"pattern": "b", "type": "string"}}}),
    "tags of two properties": (tag("a", "k"), tag("b", "l")),
    "an integer and one of them": ({**tag(1), "properties": {"k": {"type": "integer"}}}, tag(1)),
    "objects or null": ({**tag("a"), "type": ["object", "null"]}, {**tag("b"), "type": ["object", "null"]}),
    "nothing said": (True, True),
}


def are_disjoint(left: Any, right: Any) -> bool:
    factory, budget = FormulaFactory(), Budget(1_000)
    translators = [
        translator(factory, normalise(side, "draft2020-12"), prefix, budget.tick)
        for side, prefix in ((left, "p:"), (right, "c:"))
    ]
    one, other = (outline(side.root()) for side in translators)
    answer = disjoint(one, other)
    assert disjoint(other, one) is answer
    return answer


@pytest.mark.parametrize("case", APART)
def test_what_a_glance_tells_apart(case: str) -> None:
    assert are_disjoint(*APART[case]) is True


@pytest.mark.parametrize("case", TOGETHER)
def test_what_may_share_a_value(case: str) -> None:
    assert are_disjoint(*TOGETHER[case]) is False
