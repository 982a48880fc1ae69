"""Corners in which a verdict was once wrong or an answer late: each with the smallest pair that shows it."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, Undecided, check, limits
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.canonical import cheap
from claude_comm.schema.cost import validation_cost
from claude_comm.schema.cost.pattern_cost import searchable
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.regex.language import Language, TooHard
from claude_comm.schema.regex.states import watching
from claude_comm.schema.verdict import contained
from tests.support.clocks import processor
from tests.support.schemas.pairs import Maker

FOUR = "http://json-schema.org/draft-04/schema#"
SEVEN = "http://json-schema.org/draft-07/schema#"

# What each of these takes at most, where what is shown here took hours or had no end.
SOON_MS = 1_000


def strictly(produced: Any, accepted: Any) -> Any:
    return check(produced, accepted, policy="strict")


@pytest.mark.parametrize(
    ("produced", "below"),
    [
        ({"const": [1]}, {"items": {"type": "integer"}}),
        ({"enum": [{"b": 1}, {"b": 2}]}, {"properties": {"b": {"type": "integer"}}}),
        (
            {"properties": {"a": {"const": {"b": [1]}}}},
            {"properties": {"a": {"properties": {"b": {"items": {"type": "integer"}}}}}},
        ),
    ],
)
def test_a_constant_may_be_written_with_a_point_that_draft_4_refuses(produced: Any, below: Any) -> None:
    """1 and 1.0 are one value of `const`; draft 4 calls only the first an integer."""
    assert isinstance(strictly(produced, {"$schema": FOUR, **below}), Incompatible)


def test_a_constant_of_many_integers_is_not_spelled_out() -> None:
    """All integers, or none, with a point; a mixture of 2**40 spellings is not looked through."""
    firm = {"$schema": FOUR, "anyOf": [{"items": {"type": "integer"}}, {"items": {"not": {"type": "integer"}}}]}
    verdict = strictly({"properties": {"a": {"const": list(range(40))}}}, {"properties": {"a": {**firm}}, **firm})
    assert not isinstance(verdict, Compatible)


def test_equal_numbers_may_stand_where_different_spellings_are_asked_for() -> None:
    """[1, 1.0] is of this schema, and its items are equal."""
    pair = [{"type": "integer"}, {"not": {"type": "integer"}}]
    produced = {"$schema": FOUR, "type": "array", "items": pair, "minItems": 2}
    assert not isinstance(strictly(produced, {"uniqueItems": True}), Compatible)


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("names", [{"minLength": 12_000}, {"pattern": "^(a{400})*$"}])
def test_names_that_are_too_long_to_list_are_not_used_up(names: dict[str, Any]) -> None:
    """There are endlessly many of them, though a listing stops after a few."""
    produced = {"type": "object", "propertyNames": names, "minProperties": 60}
    assert not contained(check(produced, False, policy="strict", budget_ms=200))


def test_names_that_are_used_up_prove_that_there_is_no_object() -> None:
    produced = {"type": "object", "propertyNames": {"pattern": "^[ab]?$"}, "minProperties": 4}
    assert contained(strictly(produced, False))


def test_listing_long_members_is_ended_by_the_caller() -> None:
    """A listing asks the caller's clock as a search does."""
    looks = itertools.count()

    def spent() -> None:
        if next(looks) > 100:
            raise TooHard("spent")

    with watching(spent), pytest.raises(TooHard):
        Language.pattern("^(a{20})*$").members(5_000)
    assert next(looks) < 110


def test_the_members_of_a_long_language_are_counted_without_long_numbers() -> None:
    assert Language.lengths(20_000, 20_000).size(1_000) is None
    assert Language.pattern("^[ab]{3}$").size(8) == 8


def test_an_embedded_schema_may_speak_another_dialect() -> None:
    """Draft 7 does not know `dependentRequired`: the embedded schema takes {"a": 1}, and both validators agree."""
    wish = {"dependentRequired": {"a": ["b"]}}
    embedded = {"$id": "urn:example:embedded", "$schema": SEVEN, **wish}
    accepted = {"properties": {"p": wish}}
    assert not isinstance(strictly({"properties": {"p": embedded}}, accepted), Compatible)
    by_name = {"properties": {"p": {"$ref": "urn:example:embedded"}}, "$defs": {"e": embedded}}
    assert not isinstance(strictly(by_name, accepted), Compatible)
    same = {"properties": {"p": {**embedded, "$schema": "https://json-schema.org/draft/2020-12/schema"}}}
    assert isinstance(strictly(same, accepted), Compatible)


def test_a_property_called_schema_says_nothing_of_the_dialect() -> None:
    pair = [{"properties": {"$schema": {"type": kind}}} for kind in ("integer", "number")]
    assert isinstance(strictly(*pair), Compatible)
    assert not isinstance(strictly(*reversed(pair)), Undecided)


@pytest.mark.parametrize("asking", ["unevaluatedProperties", "unevaluatedItems"])
@pytest.mark.parametrize("reference", ["#/$defs/d{}", "#d{}", "urn:example:d{}"])
def test_paths_that_double_at_each_step_are_refused_before_they_are_compiled(asking: str, reference: str) -> None:
    """The validator would follow 2**30 of them, and cannot be interrupted."""
    step = {i: {"$ref": reference.format(i + 1)} for i in range(30)}
    below = {f"d{i}": {"$anchor": f"d{i}", "anyOf": [step[i], step[i]]} for i in range(30)}
    if reference.startswith("urn"):
        below = {name: {"$id": f"urn:example:{name}", "anyOf": one["anyOf"]} for name, one in below.items()}
    last = {"$id": "urn:example:d30"} if reference.startswith("urn") else {"$anchor": "d30"}
    doubling = {"$ref": reference.format(0), "$defs": {**below, "d30": {**last, "type": "object"}}}
    with processor(SOON_MS), pytest.raises(SchemaError, match="unevaluated"):
        strictly({**doubling, asking: False}, True)
    assert isinstance(strictly(doubling, {"type": "object"}), Compatible)


def test_paths_that_come_back_to_themselves_are_counted_once() -> None:
    tree = {"properties": {"a": {"$ref": "#"}}, "allOf": [{"$ref": "#/$defs/x"}], "unevaluatedProperties": False}
    assert isinstance(strictly({**tree, "$defs": {"x": {"properties": {"b": True}}}}, True), Compatible)


@pytest.mark.parametrize(
    "produced",
    [
        {"type": "array", "minItems": 10**9, "uniqueItems": True},
        {"type": "array", "contains": {"const": 1}, "minContains": 10**30},
        {"type": "array", "minItems": 2.0, "contains": {"minimum": 1}, "minContains": 2.0, "uniqueItems": True},
        {"type": "number", "minimum": 10**399, "multipleOf": 10**390 + 1},
        {"type": "number", "multipleOf": 1.7e308, "minimum": 1},
        {"type": "number", "multipleOf": 1.5, "exclusiveMinimum": 1e308},
    ],
)
def test_a_guess_is_never_larger_than_a_message_nor_beyond_all_floats(produced: Any) -> None:
    """The pattern keeps the prover from an answer, so that messages are guessed."""
    hard = {"properties": {"a": produced, "b": {"pattern": "(x)\\1"}}, "required": ["a", "b"]}
    plain = {"properties": {"a": {"multipleOf": 10**380 + 3}, "b": {"pattern": "(y)\\1"}}}
    for pair in ((hard, plain), (plain, hard)):
        with processor(SOON_MS):
            assert strictly(*pair).answer in {"incompatible", "undecided"}


def test_canonical_forms_are_not_asked_about_many_dependent_schemas() -> None:
    """Building the form of 30 of them took 0.6 s, in which no other thread ran."""
    many = {f"p{i}": {"required": [f"p{(i * 7 + 1) % 30}"], "properties": {f"p{i}": {"minimum": i}}} for i in range(30)}
    assert not cheap({"type": "object", "dependentSchemas": many})
    assert cheap({"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}})


@pytest.mark.parametrize(
    "source",
    [
        "^" + "a?" * 30 + "a" * 30 + "$",
        "^" + "(a|aa)" * 40 + "b$",
        "^" + "(a)?" * 32 + "b$",
        "^" + "(?:a|a)?" * 30 + "b$",
        "^(((((a?)?)?)?)?){30}b$",
        "^(a+)+$",
        "(a+a+)+y",
        "^(a?){30}\\1$",
    ],
)
def test_what_a_backtracking_engine_cannot_search_is_never_given_to_one(source: str) -> None:
    """The second validator searches with Python's `re`, which would take hours and cannot be interrupted."""
    assert not searchable(normalise({"pattern": source}, DEFAULT), "a" * 60, lambda: None)
    with processor(SOON_MS):
        strictly({"type": "string", "pattern": "^a*$", "minLength": 30}, {"pattern": source})
        strictly({"type": "string", "pattern": source}, {"maxLength": 29})


@pytest.mark.parametrize(
    "source", ["^[a-z]+$", "^(eur|usd|gbp)$", "^[^@]+@[^@]+\\.[a-z]{2,}$", "^\\d{4}-\\d{2}-\\d{2}(T.*)?$", "^x-"]
)
def test_what_people_write_is_searched_by_both_validators(source: str) -> None:
    assert searchable(normalise({"pattern": source}, DEFAULT), "a" * 20, lambda: None)


def test_look_around_is_not_searched_in_long_texts() -> None:
    """`jsonschema-rs` looks ahead from each character, which is quadratic, and cannot be interrupted."""
    with processor(SOON_MS):
        strictly({"const": "a" * 300_000}, {"pattern": "(?=a*b)c"})
    assert isinstance(strictly({"const": "aab"}, {"pattern": "(?=a*b)c"}), Incompatible)


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf", "allOf", "not", "$ref", "dependentSchemas", "contains"])
@pytest.mark.parametrize("schema", [True, {}, {"type": "integer"}])
def test_a_property_may_be_called_like_a_keyword(keyword: str, schema: Any) -> None:
    one = {"type": "object", "properties": {keyword: schema}}
    assert isinstance(strictly(one, one), Compatible)
    assert isinstance(strictly(one, {**one, "required": [keyword]}), Incompatible)


def test_properties_called_like_a_keyword_take_nothing_off_the_weight() -> None:
    choices = {"oneOf": [{"type": "string"}, {"type": "null"}]}
    several = dict.fromkeys(("a", "b", "c", "d"), choices)
    assert not cheap({"properties": several})
    assert not cheap(
        {"properties": {**several, "e": {"properties": {"oneOf": {}}}, "f": {"properties": {"oneOf": {}}}}}
    )


def test_the_work_seen_at_a_glance_is_never_less_than_the_work_counted() -> None:
    """The glance is what keeps uncounted messages from a validator that cannot be interrupted."""
    looked = 0
    for index in range(400):
        schema, _ = Maker(random.Random(index)).pair()
        document = normalise(schema, DEFAULT)
        for value in itertools.islice(candidates(document.schema, harvest(document.schema)), 20):
            glance = validation_cost.quick_cost(document, value)
            if glance is not None:
                counted = validation_cost._Evaluations(document, lambda: None).of(document.schema, value, 0)
                assert glance.evaluations >= counted.evaluations, (schema, value)
                assert glance.depth >= counted.depth, (schema, value)
                looked += 1
    assert looked > 1_000


@pytest.mark.parametrize("schema", [True, {"a": [1, 2.5, None, {"$ref": "x"}], "b": {"": "text"}}, {"é": ["ü"]}])
def test_a_schema_measures_the_same_at_a_glance(schema: Any) -> None:
    assert limits.measure(schema) == limits._walked(schema, limits.DEFAULT_CAPS)


def test_a_list_that_stands_in_many_places_is_refused_and_not_copied() -> None:
    many: list[Any] = [0] * 1_000
    for _ in range(20):
        many = [many] * 1_000
    with pytest.raises(SchemaError, match="values in one schema"):
        limits.measure({"enum": many})


def test_dependent_schemas_evaluate_nothing_of_what_is_no_object() -> None:
    """They were taken to evaluate the items of every array, which has no property at all."""
    accepted = {"dependentSchemas": {"b": {"items": True}}, "unevaluatedItems": False}
    assert isinstance(strictly({"type": "array"}, accepted), Incompatible)
    assert isinstance(strictly({"type": "array", "maxItems": 0}, accepted), Compatible)


@pytest.mark.parametrize("branch", ["then", "else"])
@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
def test_a_circle_that_nobody_asks_does_not_matter(branch: str, policy: Any) -> None:
    """Without an `if`, `then` and `else` say nothing."""
    idle = {branch: {"$ref": "#/$defs/x"}, "$defs": {"x": {"$ref": "#/$defs/x"}, "y": {"not": {"$ref": "#/$defs/y"}}}}
    assert isinstance(check({"type": "integer", **idle}, {"type": "number"}, policy=policy), Compatible)
    asked = {**idle, "if": True, branch: {"$ref": "#/$defs/y"}}
    assert isinstance(check({"type": "integer"}, asked, policy=policy), Undecided)


@pytest.mark.parametrize("uri", [SEVEN, FOUR, "http://json-schema.org/draft-06/schema#", URI[DEFAULT]])
def test_a_meta_schema_follows_its_own_pointers(uri: str) -> None:
    """They were followed in the document that refers to it: an error, or another schema of the same name."""
    mine = {"definitions": {"stringArray": {}}, "$defs": {"stringArray": {}}}
    accepted = {"$schema": uri, "properties": {"s": {"$ref": uri}}, **mine}
    assert not isinstance(strictly({"properties": {"s": {"const": {"required": [1]}}}}, accepted), Compatible)
    assert strictly({"properties": {"s": {"enum": [{}, {"type": "null"}]}}}, accepted).answer != "incompatible"


@pytest.mark.parametrize("dialect", ["draft2020-12", "draft2019-09"])
def test_a_meta_schema_is_not_read_without_those_that_extend_it(dialect: Any) -> None:
    """Its subschemas are those of all vocabularies, by a dynamic reference, and not only of the one at hand."""
    accepted = {"$schema": URI[dialect], "properties": {"s": {"$ref": URI[dialect]}}}
    wrong = {"properties": {"a": {"type": 5}}}
    assert not isinstance(strictly({"properties": {"s": {"const": wrong}}}, accepted), Compatible)


def test_a_validator_that_fails_on_a_schema_says_nothing() -> None:
    """`jsonschema` raises a TypeError where `items` of 2019-09 is a boolean beside `unevaluatedItems`."""
    odd = {"$schema": URI["draft2019-09"], "unevaluatedItems": {"maximum": 3}, "items": False}
    assert strictly({"type": "array"}, odd).answer in {"incompatible", "undecided"}
    assert strictly({"const": [True]}, odd).answer in {"incompatible", "undecided"}
