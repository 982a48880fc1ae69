"""A producer that can send nothing is told as that, and is never compatible with everything."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.schema import Compatible, Incompatible, check, explain
from claude_comm.schema.budget import Budget
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.emptiness import has_room, is_empty
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import Policy, contained, passes
from tests.support.schemas.pairs import Maker

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
EMPTY: dict[str, Any] = {
    "nothing at all": False,
    "bounds that cross": {"type": "integer", "minimum": 5, "maximum": 3},
    "nothing between": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
    "a required name that may not be": {"properties": {"a": False}, "required": ["a"], "type": "object"},
    "a value that must hold itself": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "a list of another kind": {"type": "string", "enum": [1, 2]},
    "an empty list": {"enum": []},
    "too many names": {
        "type": "object",
        "properties": {"a": {}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
}
POLICIES: list[Policy] = ["strict", "closed-producer"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", EMPTY)
def test_a_producer_without_a_message_is_told_as_that(name: str, policy: Policy) -> None:
    for accepted in (True, {"type": "object"}, EMPTY[name]):
        verdict = check(EMPTY[name], accepted, policy=policy)
        assert contained(verdict), (accepted, verdict)
        assert not passes(verdict), (accepted, verdict)
        assert verdict.answer == ("compatible" if policy == "strict" else "impossible")
    said = "compatible, and only because" if policy == "strict" else "impossible:"
    assert explain(verdict) == f"{said} no message fits the producer's schema: it can send nothing."


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", EMPTY)
def test_a_consumer_that_accepts_nothing_is_told_as_that(name: str, policy: Policy) -> None:
    verdict = check({"type": "object"}, EMPTY[name], policy=policy)
    assert isinstance(verdict, Incompatible)
    assert not passes(verdict)
    assert verdict.refuses_all == "no message fits the consumer's schema: it accepts none"
    assert explain(verdict).startswith(f"incompatible, whatever is sent: {verdict.refuses_all}. For example: the")
    other = check({"type": "object"}, {"type": "string"}, policy=policy)
    assert isinstance(other, Incompatible)
    assert not other.refuses_all


def test_closing_alone_makes_no_producer_impossible() -> None:
    """A name that is required and not listed was forbidden by closing, and everything was compatible then."""
    produced = {"properties": {"a": {"type": "integer"}}, "required": ["a", "b"]}
    assert isinstance(check(produced, {"properties": {"a": {"type": "string"}}}), Incompatible)
    assert isinstance(check(produced, False), Incompatible)
    assert isinstance(check(produced, {"properties": {"a": {"type": "number"}}}), Compatible)


@pytest.mark.parametrize("policy", POLICIES)
def test_room_is_only_seen_where_there_is_some(policy: Policy) -> None:
    """What the keywords show without a search holds by the search as well, and after closing."""
    seen = 0
    for index in range(600):
        for schema in Maker(random.Random(index)).pair():
            written = Side(schema, DEFAULT, normalise(schema, DEFAULT))
            if has_room(written, closed=policy == "closed-producer"):
                seen += 1
                assert isinstance(check(schema, False, policy=policy), Incompatible), schema
    assert seen > 700


def test_what_is_known_of_a_schema_is_kept_with_it() -> None:
    side = Side(EMPTY["bounds that cross"], DEFAULT, normalise(EMPTY["bounds that cross"], DEFAULT))
    assert is_empty(side, Budget(1_000))
    assert is_empty(side, Budget(0))


def side(schema: Any) -> Side:
    return Side(schema, DEFAULT, normalise(schema, DEFAULT))


NEVER: dict[str, Any] = {"type": "array", "minItems": 2, "maxItems": 1}
# A schema, whether there plainly is room, whether there is when it is closed, and whether it is proved to be empty.
SEEN: list[tuple[dict[str, Any], bool, bool, bool]] = [
    ({"type": "null"}, True, True, False),
    (NEVER, False, False, True),
    ({"type": "object", "minProperties": 1}, True, False, False),
    ({"type": "object", "unevaluatedProperties": {"type": "null"}}, False, False, False),
    ({"type": "string", "pattern": "^a$"}, True, True, False),
    ({"type": "string", "pattern": "^a$", "minLength": 2}, False, False, True),
    ({"type": "array", "contains": {"type": "null"}}, False, False, False),
]


@pytest.mark.parametrize(("schema", "room", "closed_room", "empty"), SEEN, ids=range(len(SEEN)))
def test_what_is_not_plain_is_searched(schema: Any, room: bool, closed_room: bool, empty: bool) -> None:
    assert (has_room(side(schema)), has_room(side(schema), closed=True)) == (room, closed_room)
    assert is_empty(side(schema), Budget(1_000, None)) is empty


def test_what_is_too_deep_to_be_read_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("claude_comm.schema.containment.emptiness.has_room", deep)
    assert is_empty(side(NEVER), Budget(1_000, None)) is True
    assert is_empty(side({"type": "null"}), Budget(1_000, None)) is False
