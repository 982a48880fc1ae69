"""What a schema means as a formula: values that it accepts and values that it refuses, keyword by keyword.

The validator that is used at run time is asked as well, so that the table itself is right.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.formula import keyword_rules, nodes, unevaluated
from claude_comm.schema.formula.evaluate import kind_of
from claude_comm.schema.formula.factory import TOP
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.result import Sat

ONE, TWO = {"const": 1}, {"const": 2}


def pair(schema: Any) -> SchemaPair:
    left, right = (normalise(side, dialect_of(side)) for side in (schema, True))
    return SchemaPair(left, right, Budget(60_000))


class Meaning(NamedTuple):
    schema: Any
    accepted: list[Any]
    refused: list[Any]


KEYWORDS = {
    "minimum": Meaning({"minimum": 2}, [2, 3, "a"], [1.5]),
    "exclusiveMinimum": Meaning({"exclusiveMinimum": 2}, [2.5], [2]),
    "maximum": Meaning({"maximum": 2}, [2, 1], [2.5]),
    "exclusiveMaximum": Meaning({"exclusiveMaximum": 2}, [1], [2]),
    "multipleOf": Meaning({"multipleOf": 0.5}, [1.5, "a"], [0.75]),
    "lengths": Meaning({"minLength": 2, "maxLength": 3}, ["ab", "abc", 1], ["a", "abcd"]),
    "sizes of arrays": Meaning({"minItems": 1, "maxItems": 2}, [[1], [1, 2], {}], [[], [1, 2, 3]]),
    "sizes of objects": Meaning({"minProperties": 1, "maxProperties": 1}, [{"a": 1}, []], [{}, {"a": 1, "b": 1}]),
    "integers": Meaning({"type": ["integer", "null"]}, [1, 2.0, None], [1.5, "a", True]),
    "numbers": Meaning({"type": ["integer", "number"]}, [1, 1.5], [None]),
    "uniqueItems": Meaning({"uniqueItems": True}, [[], [1, True]], [[1, 1.0]]),
    "uniqueItems, not asked": Meaning({"uniqueItems": False}, [[1, 1]], []),
    "prefixItems": Meaning({"prefixItems": [ONE, TWO], "items": ONE}, [[], [1], [1, 2, 1]], [[2], [1, 1], [1, 2, 2]]),
    "contains": Meaning({"contains": ONE}, [[1], [2, 1], [1, 1]], [[], [2]]),
    "minContains": Meaning({"contains": ONE, "minContains": 2}, [[1, 2, 1]], [[1, 2]]),
    "maxContains": Meaning({"contains": ONE, "maxContains": 2}, [[1], [1, 2, 1]], [[], [2], [1, 1, 1]]),
    "propertyNames": Meaning({"propertyNames": {"maxLength": 1}}, [{}, {"a": 2}], [{"ab": 1}]),
    "additionalProperties": Meaning(
        {"properties": {"a": ONE}, "patternProperties": {"^b": ONE}, "additionalProperties": TWO},
        [{"a": 1, "b": 1, "c": 2}, {}],
        [{"a": 2}, {"b": 2}, {"c": 1}],
    ),
    "dependentRequired": Meaning({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    "dependentSchemas": Meaning(
        {"dependentSchemas": {"a": {"maxProperties": 1}}}, [{"b": 1, "c": 1}, {"a": 1}], [{"a": 1, "b": 1}]
    ),
    "oneOf": Meaning({"oneOf": [{"minimum": 2}, {"maximum": 3}, {"const": 9}]}, [1, 4], [2, 2.5, 9, "a"]),
    "not": Meaning({"not": {"minimum": 2}}, [1], [2, "a"]),
    "pattern": Meaning({"pattern": "^a"}, ["ab", 1], ["", "ba"]),
    "if, then and else": Meaning({"if": {"minimum": 2}, "then": {"maximum": 3}, "else": ONE}, [2, 1], [4, 0]),
    "if and then": Meaning({"if": {"minimum": 2}, "then": {"maximum": 3}}, [2, 0], [4]),
    "if and else": Meaning({"if": {"minimum": 2}, "else": ONE}, [2, 4, 1], [0]),
}
PROPERTIES = {
    "beside properties": Meaning(
        {"properties": {"a": ONE, "b": TWO}, "unevaluatedProperties": False},
        [{}, {"a": 1, "b": 2}],
        [{"c": 1}, {"a": 2}],
    ),
    "beside a pattern": Meaning(
        {"patternProperties": {"^a": ONE, "b$": ONE}, "unevaluatedProperties": TWO},
        [{"a": 1, "b": 1, "ab": 1, "c": 2}],
        [{"c": 1}, {"a": 2}, {"ab": 2}],
    ),
    "beside a pattern under an alternative": Meaning(
        {
            "anyOf": [
                {"patternProperties": {"^a": ONE}, "required": ["a"]},
                {"patternProperties": {"b$": ONE}, "required": ["b"]},
            ],
            "unevaluatedProperties": False,
        },
        [{"a": 1}, {"b": 1, "bb": 1}, {"a": 1, "ac": 1}, {"a": 1, "b": 1, "bb": 1}],
        [{"a": 1, "b": 2}, {"a": 1, "bb": 1}, {"b": 1, "ac": 1}, {"a": 1, "b": 1, "c": 1}],
    ),
    "where the rest is declared": Meaning(
        {"properties": {"a": ONE}, "additionalProperties": TWO, "unevaluatedProperties": False},
        [{"a": 1, "b": 2}],
        [{"b": 1}],
    ),
    "where the rest is declared in a part": Meaning(
        {"allOf": [{"additionalProperties": TWO}], "unevaluatedProperties": False}, [{"b": 2}], [{"b": 1}]
    ),
    "where a part has said it of the rest": Meaning(
        {"allOf": [{"properties": {"a": ONE}, "unevaluatedProperties": TWO}], "unevaluatedProperties": False},
        [{"a": 1, "b": 2}],
        [{"b": 1}],
    ),
    "under an alternative": Meaning(
        {
            "anyOf": [
                {"properties": {"a": ONE}, "required": ["a"]},
                {"properties": {"b": TWO, "c": True}, "required": ["b"]},
            ],
            "unevaluatedProperties": False,
        },
        [{"a": 1}, {"b": 2, "c": 0}, {"a": 1, "b": 2, "c": 0}],
        [{"a": 1, "c": 0}, {"a": 2, "b": 2}, {"a": 1, "b": 1}],
    ),
    "under the only alternative": Meaning(
        {
            "oneOf": [{"properties": {"k": {"const": tag}, tag: True}, "required": ["k"]} for tag in ("a", "b")],
            "unevaluatedProperties": False,
        },
        [{"k": "a", "a": 0}, {"k": "b"}],
        [{"k": "a", "b": 0}],
    ),
    "under conditions": Meaning(
        {
            "if": {"properties": {"a": ONE}, "required": ["a"]},
            "then": {"properties": {"b": True}},
            "else": {"properties": {"c": True, "a": True}},
            "unevaluatedProperties": False,
        },
        [{"a": 1, "b": 0}, {"a": 2, "c": 0}, {"c": 0}],
        [{"a": 1, "c": 0}, {"a": 2, "b": 0}],
    ),
    "where a property is there": Meaning(
        {
            "properties": {"a": True},
            "dependentSchemas": {"a": {"properties": {"b": True}}},
            "unevaluatedProperties": False,
        },
        [{"a": 0, "b": 0}, {"a": 0}],
        [{"b": 0}],
    ),
    "under a reference": Meaning(
        {"$ref": "#/$defs/a", "unevaluatedProperties": False, "$defs": {"a": {"properties": {"a": ONE}}}},
        [{"a": 1}, {}],
        [{"b": 1}, {"a": 2}],
    ),
}
ITEMS = {
    "beside the first": Meaning(
        {"prefixItems": [ONE, ONE], "unevaluatedItems": TWO}, [[], [1], [1, 1, 2, 2]], [[2], [1, 2], [1, 1, 1]]
    ),
    "where the rest is declared": Meaning(
        {"prefixItems": [ONE], "items": TWO, "unevaluatedItems": False}, [[1, 2]], [[1, 1]]
    ),
    "where the rest is declared in a part": Meaning(
        {"allOf": [{"items": TWO}], "unevaluatedItems": False}, [[2, 2]], [[1]]
    ),
    "where a part has said it of the rest": Meaning(
        {"allOf": [{"prefixItems": [ONE], "unevaluatedItems": TWO}], "unevaluatedItems": False}, [[1, 2]], [[1, 1]]
    ),
    "beside what is contained": Meaning(
        {"contains": ONE, "unevaluatedItems": TWO}, [[1], [2, 1, 2, 1]], [[], [2], [1, 3], [3, 1]]
    ),
    "under an alternative": Meaning(
        {"anyOf": [{"prefixItems": [ONE]}, {"prefixItems": [True, TWO]}], "unevaluatedItems": False},
        [[], [1], [0, 2], [1, 2], [0]],
        [[1, 1], [0, 2, 0], [1, 0]],
    ),
    "contained under an alternative": Meaning(
        {"anyOf": [{"contains": ONE}, {"contains": TWO}], "unevaluatedItems": {"const": 3}},
        [[1], [2, 3], [1, 2, 3]],
        [[3], [1, 4], [2, 4], [1, 2, 4]],
    ),
    "contained under a condition": Meaning(
        {"if": {"minItems": 3}, "then": {"contains": ONE}, "prefixItems": [True], "unevaluatedItems": TWO},
        [[0], [0, 2], [0, 1, 2], [1, 2, 2]],
        [[0, 1], [0, 2, 2], [0, 1, 3]],
    ),
    "contained, and contained under a condition": Meaning(
        {"contains": ONE, "if": {"minItems": 3}, "then": {"contains": TWO}, "unevaluatedItems": False},
        [[1], [1, 1], [1, 2, 1]],
        [[1, 2], [1, 1, 1], [1, 2, 3]],
    ),
}
EVERY = [*KEYWORDS.items(), *PROPERTIES.items(), *ITEMS.items()]


@pytest.mark.parametrize("meaning", [meaning for _, meaning in EVERY], ids=[name for name, _ in EVERY])
def test_the_formula_accepts_what_the_schema_accepts(meaning: Meaning) -> None:
    question = pair(meaning.schema)
    resolver, node = question.resolver, question.left
    accepted = [(value, True) for value in meaning.accepted]
    for value, answer in accepted + [(value, False) for value in meaning.refused]:
        assert jsonschema_rs.is_valid(meaning.schema, value) is answer, value
        assert resolver.holds(node, value) is answer, value
        assert resolver.holds(resolver.at_kind(node, kind_of(value)), value) is answer, value
        assert resolver.holds(resolver.factory.negation(node), value) is not answer, value


NUMBERS = {"$schema": URI["draft4"], "type": ["integer", "null"]}


def test_an_integer_of_draft_4_is_written_without_a_point() -> None:
    question = pair(NUMBERS)
    for value, answer in ((1, True), (None, True), (1.0, False), (1.5, False), ("a", False)):
        assert question.resolver.holds(question.left, value) is answer, value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "$recursiveRef": "#", "$schema": URI["draft2019-09"], "$recursiveAnchor": True},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}, "unevaluatedProperties": False},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}, "unevaluatedItems": False},
    ],
)
def test_of_what_no_formula_says_nobody_knows_whether_it_holds(schema: Any) -> None:
    question = pair(schema)
    for node in (question.left, question.factory.negation(question.left)):
        assert question.resolver.holds(node, {"a": [1]}) is None


def patterns(count: int) -> Any:
    return {"patternProperties": {f"^{nth}": ONE for nth in range(count)}, "unevaluatedProperties": False}


def alternatives(count: int) -> Any:
    return {"anyOf": [{"contains": {"const": nth}} for nth in range(count)], "unevaluatedItems": {"const": 9}}


def forms(count: int) -> Any:
    return {"oneOf": [{"const": nth} for nth in range(count)]}


def chain(count: int) -> Any:
    """A reference to a reference, so many times, to an object with one property."""
    links = {f"d{nth}": {"$ref": f"#/$defs/d{nth + 1}"} for nth in range(count - 1)}
    declared = {**links, f"d{count - 1}": {"properties": {"a": ONE}}}
    return {"$ref": "#/$defs/d0", "$defs": declared, "unevaluatedProperties": False}


@pytest.mark.parametrize(
    ("made", "place", "name", "value"),
    [
        (patterns, unevaluated, "MAX_PATTERNS", {"0": 1}),
        (alternatives, unevaluated, "MAX_CONTAINS", [0, 9]),
        (forms, keyword_rules, "MAX_ONE_OF", 0),
        (chain, unevaluated, "MAX_CHAIN", {"a": 1}),
    ],
    ids=["patterns", "contains", "forms", "references"],
)
def test_as_many_as_a_limit_are_read_and_of_more_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, made: Any, place: Any, name: str, value: Any
) -> None:
    monkeypatch.setattr(place, name, 3)
    for count, answer in ((3, True), (4, None)):
        question = pair(made(count))
        assert question.resolver.holds(question.left, value) is answer
        # Nobody knows of its opposite either.
        assert question.resolver.holds(question.factory.negation(question.left), value) is (
            None if answer is None else False
        )


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (True, nodes.Top),
        (False, nodes.Bottom),
        (ONE, nodes.Lit),
        ({"enum": [1, 2], "minimum": 2}, nodes.And),
        ({"type": "string"}, nodes.Kinds),
        ({"type": "string", "minLength": 2}, nodes.Ref),
        ({"minLength": 2}, nodes.Ref),
    ],
)
def test_what_is_short_is_translated_at_once_and_the_rest_when_a_proof_gets_there(schema: Any, kind: type) -> None:
    sides = pair(True).resolver.sides
    assert type(sides[0].child(schema)) is kind
    # Both sides share what they write alike.
    assert sides[0].child(schema) is sides[1].child(schema)


def test_what_is_translated_later_says_the_same() -> None:
    question = pair(True)
    side, later = question.resolver.sides[0], {"type": "string", "minLength": 2}
    reference = side.child(later)
    assert isinstance(reference, nodes.Ref)
    assert side.knows(reference.name)
    assert side.definition(reference.name) is side.node(later)
    assert (question.resolver.holds(reference, "ab"), question.resolver.holds(reference, "a")) == (True, False)


def test_a_reference_is_that_of_its_own_side() -> None:
    produced, accepted = pair(True).resolver.sides
    assert produced.child({"$ref": "#/$defs/a"}) is produced.factory.ref("p:a")
    assert accepted.child({"$ref": "#/$defs/a"}) is produced.factory.ref("c:a")
    beside = {"$ref": "#/$defs/a", "minLength": 2}
    assert produced.child(beside) is not accepted.child(beside)
    [text] = produced.written
    assert produced.knows(text)
    assert not accepted.knows(text)


def test_what_normalising_could_not_express_is_unknown() -> None:
    node = pair(True).resolver.sides[0].node({"$opaque": "hard"})
    assert isinstance(node, nodes.Opaque)
    assert node.reason == "hard"


def test_the_kinds_that_a_conjunction_may_have() -> None:
    assert sorted(kind.bit_count() for kind in nodes.KINDS) == [1] * 6
    assert sum(set(nodes.KINDS)) == nodes.ANY_KIND == nodes.possible_kinds(TOP)
    made = pair(True).factory
    text = made.lit(nodes.STRING, nodes.MinSize(2), strict=True)
    either = made.kinds(nodes.STRING | nodes.NULL)
    assert nodes.possible_kinds(made.conjunction([either, made.kinds(nodes.STRING | nodes.ARRAY)])) == nodes.STRING
    assert nodes.possible_kinds(made.conjunction([either, text])) == nodes.STRING
    assert nodes.possible_kinds(text) == nodes.STRING
    assert nodes.possible_kinds(made.lit(nodes.STRING, nodes.MinSize(2))) == nodes.ANY_KIND


def test_a_name_is_single_where_it_is_written_as_one_word() -> None:
    made = pair(True).factory
    assert nodes.single_name(made.strings(["a"])) == "a"
    assert nodes.single_name(made.strings(["a", "b"])) is None
    assert nodes.single_name(made.strings(["a"], holds=False)) is None
    assert nodes.single_name(nodes.Top(0)) is None


def test_of_references_that_depend_on_the_path_nothing_is_known() -> None:
    left, right = (normalise(side, "draft2020-12") for side in (True, False))
    assert SchemaPair(left, right, Budget(60_000)).ask() == Sat(None)
    wandering = msgspec.structs.replace(left, dynamic=True)
    assert SchemaPair(wandering, right, Budget(60_000)).ask() == Sat(None, sure=False)
