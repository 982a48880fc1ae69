"""Witnesses from what two schemas say differently: small, and for every reason."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Incompatible, Undecided
from claude_comm.schema.budget import Budget
from claude_comm.schema.containment.alike import needed
from claude_comm.schema.containment.check import check
from claude_comm.schema.containment.guided_witness import MAX_PARTS, GuidedSearch
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import Policy

TEXT: dict[str, Any] = {"type": "string"}

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 2},
        "count": {"type": "integer", "minimum": 1},
        "lines": {"type": "array", "items": {"type": "number"}, "minItems": 2},
        "kind": {"enum": ["sale", "gift"]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["id", "count"],
    "additionalProperties": False,
}
PLAIN = {"id": "aa", "count": 1}


def with_property(name: str, schema: Any) -> Any:
    return {**ORDER, "properties": {**ORDER["properties"], name: schema}}


@pytest.mark.parametrize(
    ("accepted", "witness"),
    [
        (with_property("count", {"type": "integer", "minimum": 3}), PLAIN),
        (with_property("count", {"type": "integer", "maximum": 9}), {**PLAIN, "count": 10}),
        (with_property("id", {"type": "string", "maxLength": 5}), {**PLAIN, "id": "aaaaaa"}),
        (with_property("note", {"type": "string"}), {**PLAIN, "note": None}),
        (with_property("kind", {"enum": ["sale"]}), {**PLAIN, "kind": "gift"}),
        (with_property("lines", {"type": "array", "items": {"type": "integer"}}), {**PLAIN, "lines": [0, 0.5]}),
        (with_property("lines", {"type": "array", "maxItems": 2}), {**PLAIN, "lines": [0, 0, 0]}),
        ({**ORDER, "required": ["id", "count", "kind"]}, PLAIN),
        ({**ORDER, "properties": dict.fromkeys(("id", "count", "lines", "kind"), True)}, {**PLAIN, "note": None}),
    ],
)
def test_a_witness_says_what_differs_and_no_more(accepted: Any, witness: Any) -> None:
    verdict = check(ORDER, accepted, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == witness
    assert len(verdict.reasons) == 1


def test_each_of_several_differences_is_a_reason() -> None:
    accepted = with_property("kind", {"enum": ["sale"]})
    accepted["properties"]["count"] = {"type": "integer", "minimum": 1, "maximum": 9}
    verdict = check(ORDER, {**accepted, "required": ["id", "count", "note"]}, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert {(reason.path, reason.rule) for reason in verdict.reasons} == {
        ("$", "required"),
        ("$.kind", "enum"),
        ("$.count", "maximum"),
    }


def test_a_witness_goes_through_definitions_and_alternatives() -> None:
    def tagged(limit: int) -> Any:
        forms = [{"properties": {"tag": {"const": "a"}}, "required": ["tag"]}, {"$ref": "#/$defs/b"}]
        b = {"properties": {"tag": {"const": "b"}, "size": {"type": "integer", "maximum": limit}}, "required": ["tag"]}
        return {"type": "array", "items": {"oneOf": forms}, "$defs": {"b": b}}

    verdict = check(tagged(9), tagged(8), policy="strict")
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == [{"size": 9, "tag": "b"}]


@pytest.mark.parametrize(
    "produced",
    [
        {"type": "array", "items": {"type": "array", "minItems": 20, "items": {"type": "string"}}, "minItems": 20},
        {"type": "array", "items": {"type": "string"}, "minItems": 1_000_000_000},
        pytest.param({"anyOf": [{"const": value} for value in range(3_000)]}, marks=pytest.mark.long),
        {"properties": {str(at): {} for at in range(3_000)}, "required": [str(at) for at in range(3_000)]},
    ],
)
def test_what_is_large_ends_all_the_same(produced: Any) -> None:
    for accepted in ({"not": {}}, {"type": "boolean"}, {"anyOf": [{"const": -1}] * 3_000}):
        assert check(produced, accepted, policy="strict").answer != "compatible"


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        ({"type": "array", "minItems": 1_001}, {"type": "number"}),
        ({"type": "array", "minItems": 1_200, "items": {"type": "integer"}}, {"items": {"type": "string"}}),
        ({"type": "array", "minItems": 1_200, "items": {"type": "integer"}}, {"maxItems": 1_100}),
    ],
)
def test_long_arrays_have_witnesses(produced: Any, accepted: Any) -> None:
    verdict = check(produced, accepted, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert len(verdict.witness) == produced["minItems"]


def test_arrays_of_long_arrays_are_not_made() -> None:
    """Each level would multiply: nothing is put together that takes long to look at."""
    produced: Any = {"type": "integer"}
    for _ in range(6):
        produced = {"type": "array", "minItems": 500, "items": produced}
    assert isinstance(check(produced, {"type": "string"}, policy="strict", budget_ms=500), Undecided)


def forms(count: int, value: Any) -> dict[str, Any]:
    """A union of messages that a property tells apart, each behind a reference."""
    definitions: dict[str, Any] = {
        f"form_{at}": {
            "type": "object",
            "properties": {"type": {"const": f"t{at}"}, "id": TEXT, "value": {"$ref": "#/$defs/value"}},
            "required": ["type", "id", "value"],
        }
        for at in range(count)
    }
    return {
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": {**definitions, "value": value},
    }


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
@pytest.mark.parametrize(
    ("produced", "accepted", "path"),
    [
        (forms(13, TEXT), forms(12, TEXT), "$.type"),
        (forms(12, {"type": ["string", "null"]}), forms(12, TEXT), "$.value"),
        ({"type": "object", **forms(13, TEXT)}, forms(12, TEXT), "$.type"),
        ({"anyOf": [*forms(3, TEXT)["oneOf"]], "$defs": forms(3, TEXT)["$defs"]}, forms(2, TEXT), "$.type"),
    ],
)
def test_a_tagged_union_is_told_form_by_form_in_few_steps(
    produced: Any, accepted: Any, path: str, policy: Policy
) -> None:
    """As a whole it took more than 100 ms of counted work under `closed-producer`."""
    verdict = check(produced, accepted, policy=policy, budget_ms=4)
    assert isinstance(verdict, Incompatible)
    assert path in {reason.path for reason in verdict.reasons}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_a_form_that_leads_back_to_its_union_is_entered_once(keyword: str) -> None:
    def chain(value: Any) -> Any:
        link = {
            "type": "object",
            "properties": {
                "next": {keyword: [{"$ref": "#/$defs/link"}, {"type": "null"}]},
                "kind": {"const": "link"},
                "value": value,
            },
            "required": ["kind", "value"],
        }
        return {"$ref": "#/$defs/link", "$defs": {"link": link}}

    # In steps: each turn of the chain took as many again, for sixty turns.
    verdict = check(chain({"type": "null"}), chain({"type": "array"}), budget_ms=4)
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {"kind": "link", "value": None}
    assert [reason.path for reason in verdict.reasons] == ["$.value"]


@pytest.mark.parametrize("further", [False, {"type": "integer"}])
def test_each_declared_property_that_the_consumer_does_not_take_is_a_reason(further: Any) -> None:
    produced = {"type": "object", "properties": dict.fromkeys("wxyz", TEXT), "additionalProperties": TEXT}
    verdict = check(produced, {"properties": {"x": TEXT}, "additionalProperties": further})
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {"w": ""}
    assert [reason.path for reason in verdict.reasons] == ["$.w", "$.y", "$.z"]


def test_long_lists_of_values_are_read_where_another_kind_is_needed() -> None:
    listed = {"properties": {"a": {"enum": [{"n": number} for number in range(3_000)]}}}
    # In steps: a proof made a formula of every value.
    verdict = check(listed, {"properties": {"a": {"type": ["integer", "string"]}}}, budget_ms=2)
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {"a": {"n": 0}}


@pytest.mark.parametrize(
    ("values", "kinds", "witness"),
    [
        ([1, "b", None], ["integer", "null"], "b"),
        ([True, 0], "boolean", 0),
        ([[], {}], "array", {}),
        ([1, 1.5], "integer", 1.5),
    ],
)
def test_a_listed_value_of_another_kind_is_the_witness(values: Any, kinds: Any, witness: Any) -> None:
    verdict = check({"properties": {"a": {"enum": values}}}, {"properties": {"a": {"type": kinds}}})
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {"a": witness}


def test_a_schema_takes_along_what_it_refers_to_by_way_of_others() -> None:
    definitions = {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}, "c": {"type": "string"}}
    kept = needed({"$ref": "#/$defs/a"}, definitions)
    assert kept == {"a": definitions["a"], "b": definitions["b"]}


def search(produced: Any = True, accepted: Any = True) -> GuidedSearch:
    sides = (normalise(side, "draft2020-12") for side in (produced, accepted))
    return GuidedSearch(*sides, Budget(60_000))


def test_a_definition_that_the_search_is_in_is_not_entered_again() -> None:
    guided = search()
    guided.entered.append(("a",))
    assert list(guided.referred({}, "a", 1)) == []


def test_only_positions_that_differ_are_searched() -> None:
    whole = {"type": "integer"}
    produced = {"type": "array", "prefixItems": [whole, whole], "minItems": 2}
    assert list(search().positions(produced, [True, {"minimum": 3}], 5))
    assert list(search().positions(produced, [True, True], 5)) == []


def test_what_is_no_object_and_what_is_nested_too_deep_has_no_parts() -> None:
    nested: Any = {"properties": {"a": True}}
    for _ in range(MAX_PARTS + 3):
        nested = {"allOf": [nested]}
    assert search().parts(True) == []
    assert len(search().parts(nested)) == MAX_PARTS + 1


def test_further_names_are_not_looked_at_one_by_one_beside_patterns() -> None:
    rest = {"additionalProperties": False}
    assert search().separate({"properties": {}}, rest)
    assert not search().separate({"properties": {}, "patternProperties": {"^a": True}}, rest)


def test_a_pattern_that_nobody_reads_gives_no_name_to_try() -> None:
    produced = {"type": "object", "properties": {}}
    rest = {"patternProperties": {r"\b{start}": {"type": "integer"}, "^a": {"type": "integer"}}}
    candidates = list(search().objects(produced, rest, 3))
    assert candidates
    assert all(set(candidate) == {"a"} for candidate in candidates)
