"""What remains of a consumer's schema beside the producer's: a value of the one is in the other exactly as before."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.containment import implications, residual
from claude_comm.schema.containment.alike import bare
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.residual import residual as residual_of
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import Policy
from tests.support.schemas.pairs import Maker


def rest_of(produced: Any, accepted: Any) -> Any:
    return residual_of(normalise(produced, "draft2020-12"), normalise(accepted, "draft2020-12"))


@pytest.mark.parametrize(
    ("produced", "accepted", "rest"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "number", "minimum": 0}, True),
        ({"minimum": 0}, {"minimum": 1}, {"minimum": 1}),
        ({"exclusiveMinimum": 0}, {"minimum": 0}, True),
        ({"minimum": 0}, {"exclusiveMinimum": 0}, {"exclusiveMinimum": 0}),
        ({"const": 1}, {"const": True}, {"const": True}),
        ({"const": 1.0}, {"enum": [1, 2]}, True),
        ({"type": "string"}, {"minimum": 3, "maxLength": 2}, {"maxLength": 2}),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {}, "b": {}}}, True),
        (
            {"properties": {"a": {"type": "string"}}},
            {"properties": {"a": {"minLength": 1}}, "additionalProperties": False},
            {"properties": {"a": {"minLength": 1}}, "additionalProperties": False},
        ),
        ({"prefixItems": [{"const": 1}], "items": False}, {"items": {"const": 1}}, True),
        ({"items": {"const": 1}}, {"prefixItems": [{"const": 2}]}, {"prefixItems": [{"const": 2}]}),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, True),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"minimum": 1}}},
            {"$ref": "#/$defs/b", "$defs": {"b": {"minimum": 0}}},
            True,
        ),
        (
            {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"minimum": 0}}},
            {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"minimum": 1}}},
            {"items": {"minimum": 1}, "$defs": {"a": {"minimum": 1}}},
        ),
    ],
)
def test_what_remains(produced: Any, accepted: Any, rest: Any) -> None:
    assert rest_of(produced, accepted) == rest


def test_the_same_name_of_another_definition_is_not_taken_for_it() -> None:
    produced = {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"type": "string"}}}
    accepted = {**produced, "$defs": {"d": {"type": "integer"}}}
    assert rest_of(produced, accepted) is not True


def test_a_value_of_the_producer_is_in_the_consumer_exactly_when_it_is_in_the_residue() -> None:
    looked = list(compared(600))
    assert all(looked)
    assert len(looked) > 3_000


def compared(pairs: int) -> Iterator[bool]:
    """For each value that was looked at, whether residue and consumer say the same of it."""
    for index in range(pairs):
        produced, accepted = Maker(random.Random(index)).pair()
        schemas = produced, accepted, rest_of(produced, accepted)
        ours, theirs, beyond = (compiled(schema, "draft2020-12") for schema in schemas)
        guesses = candidates(normalise(produced, "draft2020-12").schema, harvest(produced, accepted), lambda: None)
        for value in itertools.islice(guesses, 60):
            if ours.is_valid(value):
                yield theirs.is_valid(value) == beyond.is_valid(value)


FAULTS: dict[str, tuple[ModuleType, Callable[..., Any]]] = {
    "_reaches": (implications, lambda ours, wanted, sign: True),
    "alike": (residual, lambda left, right: True),
    "_undeclared": (implications, lambda schema: False),
    "_further": (implications, lambda walk, left, right: True),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, fault = FAULTS[rule]
    monkeypatch.setattr(place, rule, fault)
    assert not all(compared(600))


LISTEN = {"type": "object", "properties": {"port": {"type": "integer", "minimum": 1}}, "oneOf": [{}, False]}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "at": {"$ref": "#/$defs/listen"}}}


def turned(schema: Any) -> Any:
    """The same schema with its keys in another order."""
    if isinstance(schema, dict):
        return {name: turned(item) for name, item in reversed(schema.items())}
    return [turned(item) for item in schema] if isinstance(schema, list) else schema


def test_the_order_of_keys_says_nothing() -> None:
    schema = {"$ref": "#/$defs/node", "$defs": {"node": NODE, "listen": LISTEN}}
    assert rest_of(schema, turned(schema)) is True


def test_definitions_that_are_alike_are_not_expanded_beside_one_that_is_not() -> None:
    old = {"properties": {"n": {"$ref": "#/$defs/node"}, "v": {"$ref": "#/$defs/v"}}}
    shared = {"node": NODE, "listen": LISTEN}
    left = {**old, "$defs": {**shared, "v": {"type": "string", "maxLength": 3}}}
    right = {**old, "$defs": {**shared, "v": {"type": "string", "minLength": 1}}}
    assert rest_of(left, right)["properties"] == {"v": {"minLength": 1}}


def test_a_definition_is_not_alike_when_what_it_refers_to_is_not() -> None:
    left = {"$ref": "#/$defs/node", "$defs": {"node": NODE, "listen": LISTEN}}
    right = {"$ref": "#/$defs/node", "$defs": {"node": NODE, "listen": False}}
    assert rest_of(left, right) is not True
    assert isinstance(check(left, right), Incompatible)


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
def test_a_schema_is_within_itself_also_with_an_address_of_its_own(policy: Policy) -> None:
    schema = {"$ref": "#/$defs/node", "$defs": {"node": NODE, "listen": LISTEN}}
    for left, right in ((schema, turned(schema)), ({"$id": "https://example.com/s", **schema}, schema)):
        verdict = check(left, right, policy=policy)
        assert isinstance(verdict, Compatible)
        assert verdict.proof == "keyword by keyword"


def test_what_is_proved_as_written_is_proved_when_closed() -> None:
    """Closing puts copies of forms beside a `oneOf`, which the walk over both does not see through."""
    forms = [{"type": "object", "properties": {"a": {"type": "integer"}}, "minProperties": 3} for _ in range(2)]
    schema = {"properties": {"x": {"oneOf": [*forms, {"pattern": "(?=a)b"}]}}}
    verdict = check(schema, schema)
    assert isinstance(verdict, Compatible)
    assert verdict.proof == "keyword by keyword"


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ({"minimum": 3}, {"minimum": 1, "maximum": 9}),
        ({"properties": {"a": {"minimum": 2}}}, {"properties": {"a": {"minimum": 1, "maximum": 9}, "b": {"const": 1}}}),
        ({"items": {"enum": [1, 2]}}, {"items": {"enum": [1]}, "maxItems": 3}),
    ],
)
def test_of_fewer_messages_no_more_remains_than_of_all(sent: Any, taken: Any) -> None:
    """What remained of a producer that may send more is all that has to be compared, and comes to the same."""
    more, fewer, accepted = (normalise(schema, "draft2020-12") for schema in ({}, sent, taken))
    known = residual.residual(more, accepted)
    assert residual.residual(fewer, accepted, known=known) == residual.residual(fewer, accepted)
    # It is the known residual that is looked at.
    assert residual.residual(fewer, accepted, known=True) is True


def test_what_equals_in_python_alone_is_not_the_same() -> None:
    walk = residual.Walk({}, {})
    for left, right in itertools.permutations(({"a": 1}, {"a": True}, {"a": 1.0}), 2):
        assert left == right
        assert not walk.same(left, right)
        assert not walk.same([left], [right])
    assert walk.same({"a": 1, "b": "x"}, {"b": "x", "a": 1})
    assert walk.same({"a": 1.0}, {"a": 1.0})


def test_a_walk_ends_after_so_many_comparisons() -> None:
    walk = residual.Walk({}, {})
    walk.look(residual.MAX_COMPARISONS)
    with pytest.raises(residual.TooManyComparisons):
        walk.look()


def chain(leaf: Any, **further: Any) -> dict[str, Any]:
    """A definition that leads back to itself over two others, and a property for the last of them."""
    links = {
        "a": {"properties": {"b": {"$ref": "#/$defs/b"}, "leaf": leaf}},
        "b": {"properties": {"c": {"$ref": "#/$defs/c"}}},
        "c": {"properties": {"a": {"$ref": "#/$defs/a"}}},
    }
    return {"properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/b"}, **further}, "$defs": links}


def test_what_leans_on_an_open_pair_two_levels_further_out_is_unknown_again() -> None:
    assert rest_of(chain({"type": "integer"}), chain({"type": "number"})) is True
    rest = rest_of(chain({"type": "number"}), chain({"type": "integer"}))
    assert set(rest["properties"]) == {"x", "y"}


def test_schemas_without_a_name_are_told_apart_beside_one_definition() -> None:
    accepted = {"properties": {name: {"$ref": "#/$defs/d"} for name in "xyz"}, "$defs": {"d": {"type": "integer"}}}
    produced = {"properties": {"x": {"enum": [1]}, "y": {"type": "string"}, "z": {"type": "integer", "minimum": 1}}}
    assert rest_of(produced, accepted)["properties"].keys() == {"y"}


def walk_over(left: Any, right: Any) -> tuple[residual.Walk, Any, Any]:
    sent, taken = (normalise(schema, "draft2020-12") for schema in (left, right))
    return residual.Walk(sent.definitions, taken.definitions), bare(sent.schema), bare(taken.schema)


def test_once_a_circle_is_settled_each_pair_of_it_is() -> None:
    walk, left, right = walk_over(chain({"type": "integer"}), chain({"type": "number"}))
    assert walk.beyond(left["properties"]["x"], right["properties"]["x"]) is True
    assert not walk._leaning
    assert walk._settled == {("a", "a"): True, ("b", "b"): True, ("c", "c"): True}


def test_what_is_known_to_leave_something_is_not_compared_again() -> None:
    walk, left, right = walk_over(chain({"type": "number"}), chain({"type": "integer"}))
    pair = left["properties"]["x"], right["properties"]["x"]
    assert not walk.implied(*pair)
    before = walk.comparisons
    assert not walk.implied(*pair)
    assert walk.comparisons == before - 1


def test_what_closing_copies_is_within_its_original() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "k": {"type": "string"}}}
    union = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
    produced: dict[str, Any] = {"properties": {"n": union, "v": {"type": "number"}}, "$defs": {"node": node}}
    accepted = {**produced, "properties": {**produced["properties"], "v": {"type": "integer"}}}
    closed = close(normalise(produced, "draft2020-12"))
    assert closed.schema["properties"]["n"]["anyOf"][0] == {"$ref": "#/$defs/node.closed"}
    assert residual_of(closed, normalise(accepted, "draft2020-12"))["properties"] == {"v": {"type": "integer"}}
