"""Differences: each change once, at its place, and called safe only for whom it is."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_comm.errors import SchemaError
from claude_comm.schema.evolution.compare import differences
from claude_comm.schema.evolution.diff import Difference, diff
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.verdict import Compatible, Incompatible, Undecided
from tests.support.clocks import processor
from tests.support.examples import examples
from tests.support.schemas.schemas_at_random import SCHEMAS, VALUES

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}


def record(required: list[str] | None = None, *, closed: bool = False, **properties: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return {**schema, "additionalProperties": False} if closed else schema


def tree(value: Any) -> dict[str, Any]:
    node = record(v=value, kids={"type": "array", "items": {"$ref": "#/$defs/node"}})
    return {"$ref": "#/$defs/node", "$defs": {"node": node}}


def choice(*branches: Any) -> dict[str, Any]:
    return record(x={"oneOf": list(branches)})


CAT, DOG = record(kind={"const": "cat"}, lives=WHOLE), record(kind={"const": "dog"}, name=TEXT)

CASES: list[tuple[Any, Any, list[tuple[str, str, str]]]] = [
    (record(a=TEXT), record(a=TEXT), []),
    (record(a={**TEXT, "title": "A"}), record(a={**TEXT, "description": "the first"}), []),
    (record(a=TEXT), record(["a"], a=TEXT, b=WHOLE), [("$.b", "properties", "both")]),
    (record(a=TEXT), record(a=TEXT, b=WHOLE), [("$.b", "properties", "consumers")]),
    (record(a=TEXT, b=WHOLE), record(a=TEXT), [("$.b", "properties", "producers")]),
    (record(["a"], a=TEXT, b=WHOLE), record(a=TEXT), [("$.b", "properties", "both")]),
    (record(a=TEXT), record([], a=TEXT), [("$.a", "required", "producers")]),
    (record(a=TEXT), record(a={"type": ["string", "null"]}), [("$.a", "type", "producers")]),
    (record(a=TEXT), record(a=WHOLE), [("$.a", "type", "neither")]),
    (record(a={"minimum": 0, **WHOLE}), record(a={"minimum": 1, **WHOLE}), [("$.a", "minimum", "consumers")]),
    (record(a={"minimum": 0, **TEXT}), record(a={"minimum": 1, **TEXT}), [("$.a", "minimum", "both")]),
    (record(a={"enum": ["x", "y"]}), record(a={"enum": ["y", "x"]}), []),
    (record(a={"enum": ["x", "y"]}), record(a={"enum": ["y", "z"]}), [("$.a", "enum", "neither")]),
    (record(a=TEXT), record(a=TEXT, closed=True), [("$", "additionalProperties", "both")]),
    (
        record(a={"type": "array", "items": record(**{"odd name": WHOLE})}),
        record(a={"type": "array", "items": record(**{"odd name": NUMBER}), "maxItems": 3}),
        [('$.a[*]["odd name"]', "type", "producers"), ("$.a", "maxItems", "consumers")],
    ),
    (tree(WHOLE), tree(NUMBER), [("$.v", "type", "producers")]),
    (choice(CAT, DOG), choice({**CAT, "required": ["kind"]}, DOG), [("$.x.lives", "required", "producers")]),
    (choice(CAT), choice(CAT, DOG), [("$.x", "oneOf", "producers")]),
    (
        {"allOf": [{"anyOf": [CAT, DOG]}, record(z=TEXT)]},
        {"allOf": [{"anyOf": [CAT, {**DOG, "minProperties": 9}]}, record(z=TEXT)]},
        [("$", "minProperties", "consumers")],
    ),
    (
        {"not": {"$ref": "#/$defs/node"}, "$defs": tree(WHOLE)["$defs"]},
        {"not": {"$ref": "#/$defs/node"}, "$defs": tree(WHOLE)["$defs"]},
        [],
    ),
    (
        {"allOf": [{"$ref": "#/$defs/b"}, record(c=WHOLE)], "$defs": {"b": record(a=TEXT)}},
        {"allOf": [{"$ref": "#/$defs/b"}, record(c=WHOLE)], "$defs": {"b": record(["a"], a=TEXT, new=TEXT)}},
        [("$.new", "properties", "both")],
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_each_change_is_listed_once_with_whom_it_leaves_alone(
    old: Any, new: Any, expected: list[tuple[str, str, str]]
) -> None:
    """Path, keyword and class of every change, and nothing for what does not change messages."""
    found = diff(old, new)
    assert [(change.path, change.rule, change.safe_for) for change in found.changes] == expected


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_back_again_swaps_producers_and_consumers(old: Any, new: Any, expected: list[tuple[str, str, str]]) -> None:
    """Undoing a change is safe for exactly those for whom making it was not, or for both or neither alike."""
    swapped = {"producers": "consumers", "consumers": "producers"}
    back = diff(new, old)
    assert sorted((change.path, change.safe_for) for change in back.changes) == sorted(
        (path, swapped.get(safe_for, safe_for)) for path, _, safe_for in expected
    )


def test_a_change_that_breaks_shows_a_message() -> None:
    """The verdict of an unsafe change has a witness at its own place, and the whole has its verdicts too."""
    found = diff(record(a=WHOLE, b=TEXT), record(a={**WHOLE, "maximum": 9}, b={"type": ["string", "null"]}))
    first, second = found.changes
    assert isinstance(first.for_producers, Incompatible)
    assert first.for_producers.witness > 9
    assert isinstance(second.for_consumers, Incompatible)
    assert second.for_consumers.witness is None
    assert found.safe_for == "neither"
    assert first.sentence == "`maximum` is new: 9"
    assert second.schema_path == "/properties/b/type"


def test_policy_decides_what_a_new_name_means() -> None:
    """Without closing, a producer may have sent anything under the new name: nobody is told it is safe."""
    old, new = record(a=TEXT), record(["a"], a=TEXT, b=WHOLE)
    assert diff(old, new).safe_for == "both"
    assert diff(old, new, policy="strict").safe_for == "consumers"


def test_what_the_normal_form_cannot_say_is_judged_as_a_whole() -> None:
    """Draft 4 tells 1 from 1.0, so its schemas give one change, with the verdicts of the whole."""
    dialect = {"$schema": "http://json-schema.org/draft-04/schema#"}
    found = diff({**dialect, **record(a=WHOLE)}, {**dialect, **record(a=NUMBER)})
    assert [change.path for change in found.changes] == ["$"]
    assert found.changes[0].for_producers == found.for_producers


def test_a_difference_is_json() -> None:
    """A difference can be stored and shown as it is."""
    found = diff(record(a=TEXT), record(a=WHOLE, b=TEXT))
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(found)), Difference) == found


def test_what_is_no_schema_is_a_schema_error() -> None:
    """Either side is refused by name."""
    with pytest.raises(SchemaError):
        diff({"type": "strnig"}, record(a=TEXT))


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=8, max_size=12))
def test_no_change_means_the_same_messages(old: Any, new: Any, messages: list[Any]) -> None:
    """Random schemas: one has no differences from itself; two without differences accept the same messages."""
    defs = {"$defs": {"d": {"type": "integer"}}}
    left, right = (
        normalise({**schema, **defs} if isinstance(schema, dict) else schema, "draft2020-12") for schema in (old, new)
    )
    assert list(differences(left, left)) == []
    if not list(differences(left, right)):
        for message in messages:
            assert jsonschema_rs.is_valid(left.schema, message) == jsonschema_rs.is_valid(right.schema, message)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=8, max_size=12))
def test_every_safe_change_survives_attack(old: Any, new: Any, messages: list[Any]) -> None:
    """Random pairs: what is proved safe of one change holds for messages of its place."""
    defs = {"$defs": {"d": {"type": "integer"}}}
    left, right = (
        normalise({**schema, **defs} if isinstance(schema, dict) else schema, "draft2020-12") for schema in (old, new)
    )
    for found, change in zip(differences(left, right), diff(left.schema, right.schema).changes, strict=False):
        for verdict, sent, read in (
            (change.for_producers, found.before, found.after),
            (change.for_consumers, found.after, found.before),
        ):
            if isinstance(verdict, Compatible) and isinstance(sent, dict):
                closed = close(normalise(sent, "draft2020-12")).schema
                for message in messages:
                    assert not jsonschema_rs.is_valid(closed, message) or jsonschema_rs.is_valid(read, message)


@pytest.mark.parametrize("record", [lambda at: f"plugin-{at}", lambda at: {"id": at, "name": f"n{at}"}])
def test_large_enumerations_are_compared_within_twice_the_budget(record: Any) -> None:
    old, new = (
        {"type": "array", "items": {"enum": [record(at) for at in range(6_000) if at % step]}} for step in (7, 5)
    )
    with processor(1_000):
        difference = diff(old, new, budget_ms=1_000, clock=time.thread_time)
    (change,) = difference.changes
    assert change.rule == "enum"
    assert re.fullmatch(r"`enum` gained .* and 678 more and lost .* and 1,020 more", change.sentence)


def test_no_check_is_begun_once_the_time_for_all_is_used_up() -> None:
    fields = {f"f{at}": {"type": "string"} for at in range(5)}
    old, new = (
        {"type": "object", "properties": {name: {**field, **more} for name, field in fields.items()}}
        for more in ({}, {"maxLength": 9})
    )
    seconds = itertools.chain([0.0] * 12, itertools.repeat(99.0))
    verdicts = [change.for_producers for change in diff(old, new, clock=lambda: next(seconds)).changes]
    late = [verdict for verdict in verdicts if isinstance(verdict, Undecided)]
    assert len(verdicts) == 5
    assert late
    assert {verdict.why for verdict in late[1:]} == {
        "not looked at: the checks before it have used up the time for all of them."
    }


def test_first_items_are_compared_one_by_one() -> None:
    old = {"type": "array", "prefixItems": [WHOLE, TEXT]}
    (change,) = diff(old, {"type": "array", "prefixItems": [WHOLE, WHOLE]}).changes
    assert (change.path, change.rule) == ("$[1]", "type")


def test_keywords_that_belong_together_change_together() -> None:
    """`minContains` says nothing alone: it is one change with `contains`, and what neither has is the same."""
    old = {"type": "array", "contains": WHOLE, "minContains": 2}
    (change,) = diff(old, {"type": "array", "contains": WHOLE, "minContains": 3}).changes
    assert change.path == "$"
    (change,) = diff({"if": {"required": ["a"]}, "else": WHOLE}, {"if": {"required": ["a"]}, "else": TEXT}).changes
    assert change.path == "$"


def test_a_reference_beside_other_keywords_is_compared_as_a_part() -> None:
    def schema(least: int) -> Any:
        return {"$ref": "#/$defs/n", "minimum": 1, "$defs": {"n": {"type": "integer", "maximum": least}}}

    assert diff(schema(5), schema(5)).changes == ()
    (change,) = diff(schema(5), schema(6)).changes
    assert change.rule == "maximum"


def test_a_long_chain_of_references_is_followed_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def chain(last: Any) -> Any:
        links = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(6)}
        return {"$ref": "#/$defs/d0", "$defs": {**links, "d6": last}}

    monkeypatch.setattr("claude_comm.schema.evolution.compare.MAX_CHAIN", 3)
    assert diff(chain(WHOLE), chain(WHOLE)).changes == ()


def test_what_a_proof_does_not_read_is_the_same_where_nothing_changed() -> None:
    schema = {"type": "object", OPAQUE: "code decides"}
    assert diff(schema, schema).changes == ()
    assert len(diff(schema, {**schema, "minProperties": 1}).changes) == 1


def test_definitions_that_allow_nothing_are_the_same_by_whatever_name() -> None:
    old, new = (
        {"properties": {"a": {"$ref": f"#/$defs/{name}"}, "b": {"maximum": limit}}, "$defs": {name: False}}
        for name, limit in (("none", 1), ("never", 2))
    )
    assert [change.path for change in diff(old, new).changes] == ["$.b"]
