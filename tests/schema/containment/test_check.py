"""Verdicts that anybody can check by reading: each pair is small, each answer follows from the words of JSON Schema."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, Undecided, check, explain
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.containment import canonical, confirm, minimal_instance
from claude_comm.schema.containment import check as engine
from claude_comm.schema.containment.check import check as pure_check
from claude_comm.schema.containment.reasons import distinct
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.cost.validation_cost import cost_of
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.phrases import Refusal
from claude_comm.schema.verdict import Policy, contained
from tests.support.schemas.pairs import Maker


def obj(required: list[str] | None = None, **properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required or []}


INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}

COMPATIBLE = {
    "an integer is a number": (INTEGER, NUMBER),
    "a number is a number or a string": (NUMBER, {"type": ["number", "string"]}),
    "an optional property more on the consumer's side breaks nobody": (
        obj(["a"], a=STRING),
        obj(["a"], a=STRING, b=INTEGER),
    ),
    "a property that the consumer does not know is ignored": (obj(["a"], a=STRING, b=INTEGER), obj(["a"], a=STRING)),
    "fewer enum values": ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
    "a closed consumer that knows everything declared": (
        obj(["a"], a=STRING),
        {**obj(a=STRING, b=STRING), "additionalProperties": False},
    ),
}

INCOMPATIBLE = {
    "items of another type": ({"type": "array", "items": STRING}, {"type": "array", "items": INTEGER}, "type"),
    "an enum value too many": ({"enum": ["a", "b", "z"]}, {"enum": ["a", "b"]}, "enum"),
    "the consumer requires what the producer does not declare": (
        obj(["x"], x=STRING),
        obj(["y"], y=STRING),
        "required",
    ),
    "the consumer requires what the producer only lists": (obj(x=STRING, y=STRING), obj(["y"], y=STRING), "required"),
    "a string is no array": (STRING, {"type": "array"}, "type"),
    "a negative price": (
        obj(["price"], price=NUMBER),
        obj(["price"], price={"type": "number", "minimum": 0}),
        "minimum",
    ),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_compatible(name: str) -> None:
    assert isinstance(check(*COMPATIBLE[name]), Compatible)


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_incompatible(name: str) -> None:
    produced, accepted, rule = INCOMPATIBLE[name]
    verdict = check(produced, accepted)
    assert isinstance(verdict, Incompatible)
    assert rule in {reason.rule for reason in verdict.reasons}


def test_the_witness_lacks_what_the_consumer_requires() -> None:
    verdict = check(obj(x=STRING, y=STRING), obj(["y"], y=STRING))
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {}


def test_an_enum_value_too_many_is_the_witness() -> None:
    verdict = check({"enum": ["a", "b", "z"]}, {"enum": ["a", "b"]})
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == "z"


def test_reasons_speak_of_both_sides() -> None:
    verdict = check(obj(["price"], price=NUMBER), obj(["price"], price={"type": "number", "minimum": 0}))
    assert isinstance(verdict, Incompatible)
    assert verdict.reasons[0].path == "$.price"
    assert verdict.reasons[0].schema_path == "/properties/price/minimum"
    assert verdict.reasons[0].sentence == "`price` may be negative; the consumer needs at least 0"
    assert len(verdict.reasons[0].mends) == 2


def test_strict_policy_lets_the_producer_send_what_it_does_not_declare() -> None:
    produced, accepted = obj(["a"], a=STRING), obj(["a"], a=STRING, b=INTEGER)
    assert isinstance(check(produced, accepted, policy="strict"), Incompatible)


def test_an_unusable_schema_is_an_error_that_names_the_place() -> None:
    with pytest.raises(SchemaError) as caught:
        check({"properties": {"a": {"type": "strin"}}}, True)
    assert caught.value.path == "/properties/a/type"


def test_a_wide_schema_is_not_left_to_a_prover_that_cannot_be_stopped() -> None:
    """Comparing canonical forms of 240 properties took 8 s without an end in sight; ours takes a tenth of one."""
    narrow = {f"p{i}": {"type": "string", "maxLength": i} for i in range(240)}
    wide = {name: {"type": ["string", "null"], "maxLength": 240} for name in narrow}
    verdict = check(obj(**wide), obj(**narrow), policy="strict")
    assert isinstance(verdict, Incompatible)
    assert len(verdict.reasons) > 10


def test_all_reasons_are_named_and_not_only_the_first() -> None:
    produced = obj(["price"], price=NUMBER, tags={"type": "array", "items": STRING}, size={"type": ["integer", "null"]})
    accepted = obj(
        ["price", "id"],
        price={"type": "number", "minimum": 0, "maximum": 100},
        tags={"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        size=INTEGER,
    )
    verdict = check(produced, accepted)
    assert isinstance(verdict, Incompatible)
    assert {reason.sentence for reason in verdict.reasons} >= {
        "`id` may be missing; the consumer requires it",
        "`price` may be negative; the consumer needs at least 0",
        "`price` may be 101; the consumer needs at most 100",
        "`tags` may be empty; the consumer needs at least 1 item",
        "`tags[0]` may be empty; the consumer needs at least 1 character",
        "`size` may be null; the consumer needs an integer",
    }


def test_items_that_are_counted_and_differ_may_be_none_at_all() -> None:
    produced = {"type": "array", "uniqueItems": True, "contains": {"const": 1}, "minContains": 0, "maxContains": 3}
    assert isinstance(check(produced, {"type": "array", "maxItems": 0}), Incompatible)


def test_a_closed_recursive_producer_ends() -> None:
    nested = {"anyOf": [{"type": "array"}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}}]}
    produced = {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "boolean"}], "$defs": {"n": nested}}
    assert isinstance(check(produced, {"type": ["array", "object", "boolean"]}), Compatible)


def test_a_reference_that_consumes_nothing_is_undecided_with_its_place() -> None:
    circle = {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}, STRING]}},
        "$ref": "#/$defs/a",
    }
    verdict = check(circle, STRING)
    assert isinstance(verdict, Undecided)
    assert verdict.place.startswith("/$defs/")


def test_a_budget_that_is_used_up_is_undecided() -> None:
    branches = [{"properties": {f"p{i}": {"type": "string"}}, "required": [f"p{i}"]} for i in range(30)]
    verdict = check({"oneOf": branches}, {"oneOf": [{**each, "maxProperties": 30} for each in branches]}, budget_ms=1)
    assert isinstance(verdict, Undecided)


def test_the_steps_of_the_pure_check_give_the_same_verdict_every_time() -> None:
    produced, accepted = obj(["a"], a=STRING), obj(["a"], a={"type": "string", "pattern": "^x"})
    assert pure_check(produced, accepted) == pure_check(produced, accepted)


def test_a_verdict_in_words_says_the_witness_and_every_reason() -> None:
    verdict = check({"enum": ["a", "z"]}, {"enum": ["a"]})
    assert explain(verdict).startswith("incompatible")
    assert '"z"' in explain(verdict)
    assert "the consumer needs" in explain(verdict)


# Pairs that `strict` proves soon: of their closed forms alone that took several times as long.
PROVED_AS_WRITTEN = (406, 476, 698, 1129, 1342, 1721, 1948)


@pytest.mark.parametrize("seed", PROVED_AS_WRITTEN)
def test_what_is_proved_as_written_is_proved_after_closing(seed: int) -> None:
    produced, accepted = Maker(random.Random(seed)).pair()
    policies: list[Policy] = ["strict", "closed-producer"]
    for policy in policies:
        assert contained(pure_check(produced, accepted, policy=policy, budget_ms=12))


def test_where_two_provers_differ_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message was found by neither: the keyword that may be read in two ways is named."""
    produced, accepted = {"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a"}
    assert check(produced, accepted).answer == "compatible"
    monkeypatch.setattr(canonical, "proves", lambda *_: False)
    monkeypatch.setattr("claude_comm.schema.containment.check.residual", lambda *_: accepted)
    monkeypatch.setattr("claude_comm.schema.containment.check._refuted_soon", lambda *_: False)
    verdict = check(produced, accepted)
    assert isinstance(verdict, Undecided)
    assert verdict.place == "/pattern"
    assert verdict.why == "'pattern' is read in two ways: by one there is no message that breaks it."


def test_what_code_may_refuse_is_not_proved_by_looking_at_every_message() -> None:
    few, by_code = {"enum": ["a", 1]}, {"enum": ["a", 1, 2], OPAQUE: "a validator"}
    assert isinstance(check(few, {"enum": ["a", 1, 2]}), Compatible)
    assert isinstance(check(few, by_code), Undecided)


def test_a_keyword_of_another_dialect_says_nothing_to_the_first_validator() -> None:
    # Compiled as it is, `dependencies` would refuse the only witness there is.
    produced = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "maxProperties": 1,
        "dependencies": {"a": ["b"]},
    }
    verdict = check(produced, {"properties": {"a": {"type": "integer"}}}, policy="strict")
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {"a": ""}


def test_a_closed_form_that_the_validator_would_compile_for_ever_leaves_it_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing adds `unevaluatedProperties`, which is compiled along every path of references."""
    monkeypatch.setattr("claude_comm.schema.cost.unevaluated_paths.MAX_PATHS", 10)
    links = {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(5)}
    last = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    produced = {"$ref": "#/$defs/d0", "$defs": {**links, "d5": last}}
    verdict = check(produced, {"properties": {"a": {"minimum": 3}}})
    assert isinstance(verdict, Undecided)
    assert "closed form" in verdict.why


def test_what_was_found_before_the_budget_ended_is_a_witness() -> None:
    class Question:
        def breaking(self, *, patience: int) -> Iterator[int]:
            yield 1
            raise OutOfBudget

    left, right = (side_of(schema, "draft2020-12", lambda: None) for schema in ({"type": "integer"}, {"minimum": 3}))
    verdict = engine._broken(left, right, Question(), Budget(60_000))  # type: ignore[arg-type]
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == 1


def test_a_message_that_takes_too_long_to_look_at_is_not_taken_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    side = side_of({"type": "integer"}, "draft2020-12", lambda: None)
    assert confirm.fits(side, 1, lambda: None)
    monkeypatch.setattr(confirm, "MAX_FAST", 0)
    assert not confirm.fits(side, 1, lambda: None)


def test_of_two_bounds_of_parts_the_tighter_one_counts() -> None:
    assert minimal_instance._merged({"minimum": 1, "allOf": [{"minimum": 3}, {"maximum": 5}]}) == {
        "minimum": 3,
        "maximum": 5,
    }


def test_of_places_below_each_other_the_outermost_is_named_whichever_comes_first() -> None:
    def refusal(*path: str) -> Refusal:
        return Refusal(path=path, schema_path=("$defs", "node", "type"), rule="type", limit="object", value=1)

    (reason,) = distinct([refusal("next", "next", "v"), refusal("next", "v")])
    assert reason.path == "$.next.v"


def test_a_circle_of_references_has_no_bound_of_cost() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    assert cost_of(normalise(circle, "draft2020-12"), 1, lambda: None) is None
