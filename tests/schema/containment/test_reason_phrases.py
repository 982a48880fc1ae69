"""What a refusal tells a person: the place exactly, and what would be taken there."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Incompatible, check, diff
from claude_comm.schema.containment.reasons import renamed
from claude_comm.schema.validation.true_path import true_path
from claude_comm.schema.validation.validator import compile_validator


def part(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **properties},
        "required": ["type", *properties],
    }


TEXT, IMAGE, THINKING = part("text", text={"type": "string"}), part("image", url={}), part("thinking", thought={})


def refused(produced: Any, accepted: Any) -> Incompatible:
    verdict = check(produced, accepted)
    assert isinstance(verdict, Incompatible)
    return verdict


def sentences(schema: Any, message: Any) -> list[tuple[str, str]]:
    return [(breach.path, breach.sentence) for breach in compile_validator(schema).validate(message)]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize("known", [[TEXT], [TEXT, IMAGE], [{"type": "null"}, TEXT, IMAGE]])
def test_a_tagged_union_is_told_by_its_tag(keyword: str, known: list[Any]) -> None:
    verdict = refused({keyword: [TEXT, THINKING]}, {keyword: known})
    assert [reason.path for reason in verdict.reasons] == ["$.type"]
    assert "a `thinking` is not accepted" in verdict.reasons[0].sentence


def test_a_union_of_kinds_says_which_are_needed() -> None:
    verdict = refused({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]})
    assert verdict.reasons[0].sentence == "the message may be 0; the consumer needs a string or null"
    assert sentences({"oneOf": [{"type": "string"}, {"const": 5}]}, 1) == [
        ("$", "the message is 1; it must be a string or exactly 5")
    ]


def test_two_forms_that_match_are_told() -> None:
    ((_, sentence),) = sentences({"oneOf": [{"type": "string"}, {"minLength": 1}]}, "a")
    assert "exactly one of its forms to match" in sentence


def test_a_property_that_may_have_other_values_is_not_called_forbidden() -> None:
    schema = {"unevaluatedProperties": {"type": "string"}}
    assert sentences(schema, {"a": 1}) == [("$.a", "`a` is 1; it must be what `unevaluatedProperties` allows there")]
    assert sentences({"unevaluatedProperties": False}, {"a": 1}) == [
        ("$.a", "`a` is a property that is not allowed here")
    ]


def test_of_an_object_that_may_have_no_property_each_that_it_has_is_told() -> None:
    produced = {"type": "object", "properties": {"o": {"type": "object", "properties": {"a": {}, "b": {}}}}}
    accepted = {"properties": {"o": {"additionalProperties": False}}}
    assert [reason.path for reason in refused(produced, accepted).reasons] == ["$.o.a", "$.o.b"]


MAP = {"additionalProperties": {"properties": {"v": {"type": "string"}, "": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"m": {"": {"v": 1}}}, '$.m[""].v'),
        ({"m": {"12": {"v": 1}}}, '$.m["12"].v'),
        ({"m": {"x": {"": 1}}}, '$.m.x[""]'),
        ({"m": {"": {"": 1}}}, '$.m[""][""]'),
        ({"m": {"": {"v": "fits"}, "v": {"v": 1}}}, "$.m.v.v"),
    ],
)
def test_a_path_has_all_its_keys(message: Any, path: str) -> None:
    assert [place for place, _ in sentences({"properties": {"m": MAP}}, message)] == [path]


def test_an_index_stays_an_index() -> None:
    assert true_path({"m": [{"": [1, 2]}]}, ["m", 0, 1], 2) == ("m", 0, "", 1)
    assert true_path({"012": 5}, [12], 5) == ("012",)


@pytest.mark.parametrize(
    ("schema", "message", "pointers"),
    [
        ({"properties": {"": {"type": "array"}}}, {"": 1}, ["/properties//type"]),
        ({"properties": {"": {"type": "array"}, "type": {"type": "null"}}}, {"": 1}, ["/properties//type"]),
        ({"properties": {"007": {"type": "array"}}}, {"007": 1}, ["/properties/007/type"]),
        ({"properties": {"7": False, "": False}}, {"7": 1, "": 1}, ["/properties/7", "/properties/"]),
        (
            {"properties": {"": {"anyOf": [{"type": "null"}, {"required": ["a"]}]}}},
            {"": {}},
            ["/properties//anyOf/1/required"],
        ),
    ],
)
def test_a_pointer_into_the_schema_has_all_its_keys(schema: Any, message: Any, pointers: list[str]) -> None:
    breaches = compile_validator(schema).validate(message)
    assert sorted(breach.schema_path for breach in breaches) == sorted(pointers)


def test_what_an_unevaluated_property_may_be_is_told_below_an_empty_name() -> None:
    schema = {"properties": {"": {"unevaluatedProperties": {"type": "string"}}}}
    ((path, sentence),) = sentences(schema, {"": {"a": 1}})
    assert path == '$[""].a'
    assert "not allowed" not in sentence


def test_members_of_a_map_are_one_place_and_declared_ones_each_their_own() -> None:
    accepted = {"additionalProperties": {"type": "integer"}, "maxProperties": 3}
    texts = refused({"type": "object", "additionalProperties": {"type": "string"}}, accepted)
    assert [(reason.path, reason.rule) for reason in texts.reasons] == [("$.key", "type"), ("$", "maxProperties")]
    declared = {"properties": {"y": {"type": "string"}, "z": {"type": "string"}}, "required": ["y", "z"]}
    assert sorted(reason.path for reason in refused(declared, accepted).reasons) == ["$.y", "$.z"]


def test_members_of_maps_at_two_places_are_two_reasons() -> None:
    def maps(value: Any) -> Any:
        return {"properties": {name: {"type": "object", "additionalProperties": value} for name in ("a", "b")}}

    verdict = refused(maps({"type": "string"}), maps({"type": "integer"}))
    assert sorted(reason.path for reason in verdict.reasons) == ["$.a.key", "$.b.key"]


def test_one_listed_value_is_told_as_a_constant() -> None:
    reason = refused({"type": "string"}, {"enum": ["a"]}).reasons[0]
    assert reason.sentence == 'the message may be ""; the consumer needs exactly "a"'
    assert reason.mends[0] == 'producer: send only "a" as the message'


TEXTS: dict[str, Any] = {"contains": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "message", "need"),
    [
        ({**TEXTS, "maxContains": 2}, [], "1 to 2 items"),
        ({**TEXTS, "maxContains": 2}, ["a", "b", "c"], "1 to 2 items"),
        ({**TEXTS, "maxContains": 1}, ["a", "b"], "exactly 1 item"),
        ({**TEXTS, "minContains": 0, "maxContains": 2}, ["a", "b", "c"], "at most 2 items"),
        ({**TEXTS, "minContains": 2}, ["a"], "at least 2 items"),
    ],
)
def test_how_many_items_are_needed_is_told(schema: Any, message: Any, need: str) -> None:
    ((_, sentence),) = sentences({"items": schema}, [message])
    assert sentence.endswith(f"it must be {need} of the kind that `contains` describes")


def test_what_is_allowed_nowhere_names_no_rule() -> None:
    verdict = refused({"type": "array", "items": TEXT}, {"prefixItems": [TEXT], "items": False})
    assert verdict.reasons[0].mends == ("producer: stop sending `[1]`", "consumer: allow `[1]`")


def test_tags_that_are_equal_in_python_are_told_apart() -> None:
    def tagged(tag: Any) -> Any:
        return {"type": "object", "properties": {"tag": {"const": tag}}, "required": ["tag"]}

    verdict = refused({"anyOf": [tagged(1), tagged(2)]}, {"anyOf": [tagged(1), tagged(True)]})
    assert verdict.reasons[0].sentence == "`tag` may be 2; the consumer needs 1 or true: 2 is not accepted"


def test_a_witness_has_names_that_can_be_read() -> None:
    assert refused(
        {"additionalProperties": {"type": "integer"}}, {"additionalProperties": {"type": "string"}}
    ).witness == {"key": 0}
    assert renamed([{"": {"": 1}}, {"a": 1}]) == [{"key": {"key": 1}}, {"a": 1}]
    assert renamed({"": 1, "key": 2}) == {"": 1, "key": 2}


def test_what_a_recursion_repeats_is_told_once() -> None:
    def tree(value: Any) -> Any:
        node = {"type": "object", "properties": {"v": value, "c": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}
        return {"properties": {"root": {"$ref": "#/$defs/n"}}, "$defs": {"n": node}}

    verdict = refused(tree({"type": ["string", "null"]}), tree({"type": "string"}))
    assert [reason.path for reason in verdict.reasons] == ["$.root.v"]


def test_the_same_definition_at_two_places_is_two_reasons() -> None:
    def order(code: Any) -> Any:
        return {"properties": {name: {"$ref": "#/$defs/a"} for name in ("bill", "ship")}, "$defs": {"a": code}}

    verdict = refused(order({"type": ["string", "null"]}), order({"type": "string"}))
    assert sorted(reason.path for reason in verdict.reasons) == ["$.bill", "$.ship"]


def test_a_diff_names_definitions_as_they_were_written() -> None:
    def version(text: Any, **further: Any) -> Any:
        properties = {"a": {"anyOf": [{"$ref": "#/definitions/text"}, {"type": "null"}]}, "b": further}
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": properties,
            "definitions": {"text": text, "never": {"type": "integer"}},
        }

    difference = diff(
        version({"type": "string"}), version({"type": "number"}, **{"not": {"$ref": "#/definitions/never"}})
    )
    told = repr(difference)
    assert "defs/new:" not in told
    assert "#/definitions/never" in told


def test_a_message_without_an_empty_name_is_the_very_same() -> None:
    for message in ({"a": [{"b": 1}]}, [{"a": 1}], {}, [], "", 7):
        assert renamed(message) is message
