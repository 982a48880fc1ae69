"""What the run-time validator refuses is what a proof says it refuses: the readings in which they differed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.dialect import DEFAULT, URI, Dialect
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.validator_dialect import (
    LISTED,
    MANY_LISTED,
    addressed,
    encoded,
    has_long_lists,
    rendered,
)
from claude_comm.schema.validation.precheck import compiles
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.values import exact, text

FOUR = {"$schema": URI["draft4"]}
MODERN: tuple[Dialect, ...] = ("draft2019-09", "draft2020-12")
# 2**60, which prints as 1152921504606847000: the two are told apart by bounds between them.
BETWEEN = float(2**60)


def strictly(produced: Any, accepted: Any) -> Any:
    return check(produced, accepted, policy="strict")


@pytest.mark.parametrize("number", [10**16, 2**53, 10**23, 10**300, -(10**20)])
@pytest.mark.parametrize("shape", [lambda value: [value], lambda value: {"a": value}])
def test_a_large_constant_may_be_written_with_a_point_that_draft_4_refuses(number: int, shape: Any) -> None:
    constant = shape(number)
    below = {"items": {"type": "integer"}, "properties": {"a": {"type": "integer"}}}
    verdict = strictly({"properties": {"p": {"const": constant}}}, {**FOUR, "properties": {"p": below}})
    assert not isinstance(verdict, Compatible)


@pytest.mark.parametrize("number", [10**309, 10**23, 2**60, 2**53 + 1])
def test_a_number_that_draft_4_does_not_call_an_integer_may_be_beyond_all_floats(number: int) -> None:
    produced = {**FOUR, "type": "number", "not": {"type": "integer"}, "minimum": number, "maximum": number}
    assert not isinstance(strictly({"items": [produced], **FOUR}, {"items": False}), Compatible | None)


def test_large_constants_that_no_float_denotes_are_integers_to_draft_4() -> None:
    accepted = {**FOUR, "items": {"type": "integer"}}
    assert isinstance(strictly({"const": [2**53 + 1]}, accepted), Compatible)


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        ({"const": [BETWEEN]}, {"items": {"minimum": 2**60 + 4}}),
        ({"minimum": BETWEEN}, {"minimum": 2**60 + 4}),
        ({"type": "integer", "exclusiveMinimum": 2**60}, {"minimum": 2**60 + 1}),
        ({"multipleOf": 1_000, "minimum": 2**60 - 4, "maximum": 2**60 + 4}, False),
    ],
)
def test_a_float_past_all_gaps_is_one_number_to_proof_and_validator(produced: Any, accepted: Any) -> None:
    verdict = strictly({"properties": {"a": produced}}, {"properties": {"a": accepted}})
    sends, takes = compile_validator(produced), compile_validator(accepted)
    for message in (BETWEEN, [BETWEEN], 2**60, 2**60 + 1, 2**60 + 24):
        if isinstance(verdict, Compatible) and sends.accepts(message):
            assert takes.accepts(message), message


def test_bounds_are_compared_exactly_at_run_time() -> None:
    chance = random.Random(7)
    for _ in range(3_000):
        value = float(2 ** chance.randint(50, 70) + chance.getrandbits(50)) * chance.choice((1, -1))
        bound = int(exact(value)) + chance.choice((0, 0, 1, -1, 3, -40)) if chance.random() < 0.5 else int(value)
        at_least, at_most = compile_validator({"minimum": bound}), compile_validator({"maximum": bound})
        assert at_least.accepts(value) == (exact(value) >= bound), (value, bound)
        assert at_most.accepts(value) == (exact(value) <= bound), (value, bound)


def test_a_bound_is_told_as_it_was_written() -> None:
    (breach,) = compile_validator({"maximum": 2**63 - 1}).validate(2**63)
    assert breach.sentence == f"the message is {2**63}; it must be at most {2**63 - 1}"


@pytest.mark.parametrize("dialect", ["draft6", "draft7"])
def test_content_is_an_annotation(dialect: Dialect) -> None:
    says = {"contentEncoding": "base64", "contentMediaType": "application/json"}
    schema = {"$schema": URI[dialect], "type": "string", **says}
    assert compile_validator(schema).accepts("no base64, no JSON")
    assert isinstance(strictly({"type": "string"}, schema), Compatible)
    held = {"$schema": URI[dialect], "properties": {"contentEncoding": {"type": "string"}}, "const": says}
    assert compile_validator(held).accepts(says)
    assert not compile_validator(held).accepts({})


@pytest.mark.parametrize("dialect", MODERN)
def test_dependencies_are_no_keyword_any_more(dialect: Dialect) -> None:
    schema = {"$schema": URI[dialect], "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}
    assert compile_validator(schema).accepts({"a": 1, "c": 2})
    assert isinstance(strictly(True, schema), Compatible)
    named = {"$schema": URI[dialect], "properties": {"dependencies": {"type": "integer"}}}
    assert not compile_validator(named).accepts({"dependencies": "x"})
    pointed = {**schema, "properties": {"e": {"$ref": "#/dependencies/c"}}}
    assert not compile_validator(pointed).accepts({"e": {}})
    embedded = {"$defs": {"old": {"$id": "urn:old", "$schema": URI["draft7"], "dependencies": {"a": ["b"]}}}}
    assert not compile_validator({"$schema": URI[dialect], "$ref": "urn:old", **embedded}).accepts({"a": 1})


@pytest.mark.parametrize("dialect", ["draft4", "draft6", "draft7"])
def test_dependencies_of_the_old_drafts_are_asserted(dialect: Dialect) -> None:
    schema = {"$schema": URI[dialect], "dependencies": {"a": ["b"]}}
    assert not compile_validator(schema).accepts({"a": 1})
    assert isinstance(strictly(True, schema), Incompatible)


@pytest.mark.parametrize(
    "name", ["größe", "日本", "List<Order>", "Page[int]", "a b", "a%b", "100%", "a#b", 'a"b', "𝒳|^`{}\\"]
)
@pytest.mark.parametrize("dialect", ["draft4", "draft7", DEFAULT])
def test_a_reference_may_be_written_without_percent_codes(name: str, dialect: Dialect) -> None:
    schema = {
        "$schema": URI[dialect],
        "properties": {"p": {"$ref": f"#/definitions/{name}"}},
        "definitions": {name: {"type": ["string", "object"], "enum": ["1", {"$ref": name}]}},
    }
    fitting = {"enum": ["1", {"$ref": name}]}
    assert all(compile_validator(schema).accepts({"p": value}) for value in fitting["enum"])
    assert not compile_validator(schema).accepts({"p": "2"})
    assert isinstance(strictly({"properties": {"p": fitting}}, schema), Compatible)
    assert isinstance(strictly({"properties": {"p": {"const": 1}}}, schema), Incompatible)


@pytest.mark.parametrize("name", ["größe.json", "size.json", "/a/b?c", "urn:example:größe"])
def test_a_document_may_have_any_name(name: str) -> None:
    schema = {"$defs": {"g": {"$id": name, "type": "integer"}}, "$ref": name}
    assert isinstance(strictly({"type": "string"}, schema), Incompatible)
    assert isinstance(strictly({"const": [1]}, {"items": schema}), Compatible)


def test_what_is_encoded_stays_as_it_is() -> None:
    for address in ("#/$defs/gr%C3%B6%C3%9Fe", "http://[::1]:80/a;b?c=d#e", "urn:x:y", "#", ""):
        assert encoded(address) == address


def test_a_reference_that_leads_nowhere_is_still_refused() -> None:
    with pytest.raises(SchemaError):
        compile_validator({"$ref": "#/$defs/größe"})


@pytest.mark.parametrize(
    ("schema", "sure"),
    [
        ({"properties": {"id": {"type": "integer", "minimum": 1}, "name": {"pattern": "^a"}}}, True),
        ({"$ref": "#/$defs/a.b", "$defs": {"a.b": {"maximum": 10}}}, True),
        ({"$ref": "#/$defs/größe", "$defs": {"größe": True}}, False),
        ({"maximum": 2**53 + 1}, False),
        ({"contentEncoding": "base64"}, False),
        ({"dependencies": {"a": ["b"]}}, False),
    ],
)
def test_what_is_certain_to_compile_needs_no_rendering(schema: Any, sure: bool) -> None:
    assert compiles(schema, DEFAULT, measure(schema), text(schema)) is sure
    if sure:
        same, ignored = rendered(schema, DEFAULT)
        assert same is schema
        assert ignored is None


TEXTS, NUMBERS = [f"t{at}" for at in range(40)], [*range(20), *(at + 0.5 for at in range(20))]


@pytest.mark.parametrize(
    ("values", "is_looked_up"),
    [
        ([*TEXTS[:MANY_LISTED], 1], True),
        ([*TEXTS[: MANY_LISTED - 1], 1], False),
        ([{"n": at} for at in range(40)], True),
        ([[at] for at in range(40)], True),
        (TEXTS, False),
        (NUMBERS, False),
    ],
)
def test_a_long_list_is_looked_up_unless_the_validator_does(values: list[Any], is_looked_up: bool) -> None:
    listed = {"enum": values}
    for schema in (listed, {"properties": {"a": listed, "b": {"enum": [1, "x"]}}}):
        assert has_long_lists(schema, measure(schema)) is is_looked_up
    assert (LISTED in rendered(listed, DEFAULT)[0]) is is_looked_up
    validator = compile_validator(listed)
    assert all(map(validator.accepts, values))
    assert not any(map(validator.accepts, ["t", -1, {"n": 40}, [40], None]))


def test_a_long_list_of_something_else_is_none_of_values() -> None:
    schema = {"required": [*TEXTS, "a"], "properties": {"enum": {"enum": ["a", 1]}}}
    assert not has_long_lists(schema, measure(schema))


def test_only_addresses_are_written_in_codes() -> None:
    schema = {"$ref": "#/$defs/größe", "$defs": {"größe": {"const": {"$ref": "größe"}}}}
    assert addressed(schema) == {**schema, "$ref": "#/$defs/gr%C3%B6%C3%9Fe"}
    like = {"const": {"$ref": "größe"}}
    assert addressed(like) is like


def test_content_is_an_annotation_in_every_dialect() -> None:
    schema = {"type": "string", "contentEncoding": "base64", "properties": {"contentEncoding": {"type": "null"}}}
    assert rendered(schema, "draft7")[0] == {key: schema[key] for key in ("type", "properties")}


@pytest.mark.parametrize(("embedded", "is_silent"), [({}, True), ({"$schema": URI["draft7"]}, False)])
def test_dependencies_say_nothing_unless_an_older_schema_may_say_them(embedded: Any, is_silent: bool) -> None:
    schema = {"dependencies": {"a": ["b"]}, "$defs": {"x": embedded, "y": {"type": "string"}}}
    assert ("dependencies" in (rendered(schema, DEFAULT)[1] or {})) is is_silent
