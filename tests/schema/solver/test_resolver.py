"""A formula as it reads for one kind of value: the same values of that kind, and no others are spoken of."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import ARRAY, NUMBER, OBJECT, STRING
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver import resolver as resolvers
from claude_comm.schema.solver.difference import SchemaPair


def question(left: Any, right: Any = False) -> SchemaPair:
    sides = [normalise(side, dialect_of(side)) for side in (left, right)]
    return SchemaPair(sides[0], sides[1], Budget(600_000))


def test_what_is_said_of_other_kinds_holds_or_does_not() -> None:
    pair = question(True)
    made, at_kind = pair.factory, pair.resolver.at_kind
    loose, strict = (made.lit(STRING, nodes.MinSize(2), strict=strict) for strict in (False, True))
    assert at_kind(loose, NUMBER) is TOP
    assert at_kind(strict, NUMBER) is BOTTOM
    assert at_kind(loose, STRING) is at_kind(strict, STRING) is strict
    assert at_kind(made.kinds(STRING | NUMBER), STRING) is TOP
    assert at_kind(made.kinds(NUMBER), STRING) is BOTTOM
    unknown = made.opaque("nobody knows")
    for same in (TOP, BOTTOM, unknown):
        assert at_kind(same, STRING) is same
    both = made.conjunction([loose, made.kinds(STRING | NUMBER)])
    assert at_kind(both, STRING) is strict
    assert at_kind(both, NUMBER) is TOP
    assert at_kind(made.negation(both), NUMBER) is BOTTOM
    either = made.disjunction([strict, made.kinds(OBJECT)])
    assert at_kind(either, STRING) is strict
    assert at_kind(made.negation(either), ARRAY) is TOP


def test_the_opposite_of_a_literal_is_of_its_kind() -> None:
    pair = question(True)
    long, short = (pair.factory.lit(STRING, atom, strict=True) for atom in (nodes.MinSize(2), nodes.MaxSize(1)))
    assert isinstance(long, nodes.Lit)
    for _ in range(2):
        assert pair.resolver.opposite(long) is short


def chain(links: int) -> Any:
    """References to references, and a string at the end."""
    definitions = {f"d{nth}": {"$ref": f"#/$defs/d{nth + 1}"} for nth in range(links - 1)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{links - 1}": {"type": "string"}}}


def test_references_to_references_are_followed_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "MAX_UNFOLDED", 3)
    pair = question(chain(3))
    assert pair.resolver.at_kind(pair.left, STRING) is TOP
    pair = question(chain(4))
    assert isinstance(pair.resolver.at_kind(pair.left, STRING), nodes.Opaque)


def test_a_circle_is_unknown_and_what_only_led_to_it_is_read_again() -> None:
    circle = {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"anyOf": [{"$ref": "#/$defs/b"}, {"minLength": 2}]},
            "b": {"anyOf": [{"$ref": "#/$defs/a"}, {"maxLength": 1}]},
        },
    }
    pair = question(circle)
    for name, other in ("ab", "ba"):
        read = [pair.resolver.at_kind(pair.factory.ref(f"p:{each}"), STRING) for each in (name, other)]
        # Each is one of two lengths, or else nobody knows.
        for node in read:
            assert pair.resolver.holds(node, "ab") is True
            assert pair.resolver.holds(node, "a") is True


def test_what_resolves_without_a_circle_is_kept() -> None:
    pair = question({"anyOf": [{"minLength": 2, "type": "string"}, {"maximum": 3, "type": "number"}]})
    once = pair.resolver.at_kind(pair.left, STRING)
    asked = list[None]()
    pair.resolver.tick = lambda: asked.append(None)
    assert pair.resolver.at_kind(pair.left, STRING) is once
    assert not asked
    pair.resolver.at_kind(pair.left, NUMBER)
    assert asked


def test_draft_4_tells_how_a_number_is_written() -> None:
    old = {"type": "integer", "$schema": URI["draft4"]}
    assert [question(*sides).resolver.lexical for sides in ((True, True), (old, True), (True, old))] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("source", "text", "answer"),
    [("^a", "ab", True), ("^a", "ba", False), ("\\b{start}", "a", None), ("(", "a", None)],
)
def test_a_pattern_is_found_or_not_or_nobody_can_tell(source: str, text: str, answer: bool | None) -> None:
    assert question(True).resolver.matches(source, text) is answer
