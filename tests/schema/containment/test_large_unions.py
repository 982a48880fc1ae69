"""What two large schemas differ in is found where they differ, also beside unions, patterns and references."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Incompatible, check
from claude_comm.schema.verdict import Policy

NAMES = [f"Tool{at}@1" for at in range(30)]
TEXT = {"type": "string"}
# The text of a tag is written as a pattern, and the tags are listed once more beside the forms.
LISTED = {"anyOf": [{"enum": [name]} for name in NAMES]}
# An unanchored class, whose inclusion takes the prover long.
SLOW = r"^(((\d+,)+\d+|((\d+|\*)/\d+|(JAN|FEB|MAR)(-(JAN|FEB|MAR))?)|(\d+-\d+)|\d+|\*|(MON|TUE)) ?){5}$"


def tools(gone: str = "", kind: str = "string") -> dict[str, Any]:
    """A step that is one of many tools, each told by the pattern of its name, with its own inputs."""
    forms = [
        {
            "properties": {
                "task": {"pattern": f"^{name}$"},
                "inputs": {
                    "type": "object",
                    "properties": {"a": TEXT, **({} if name == gone else {"b": {"type": kind}}), name: TEXT},
                    "additionalProperties": False,
                },
            },
            "required": ["task"],
        }
        for name in NAMES
    ]
    task = {"type": "object", "properties": {"task": LISTED, "inputs": {"type": "object"}}, "anyOf": forms}
    steps = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/task"}, TEXT]}}
    job = {"type": "object", "properties": {"steps": {"$ref": "#/$defs/steps"}}, "required": ["steps"]}
    return {
        "type": "object",
        "properties": {"jobs": {"type": "array", "items": {"$ref": "#/$defs/job"}}},
        "$defs": {"task": {**task, "additionalProperties": False}, "steps": steps, "job": job},
    }


def patterned(then: Any, further: Any) -> dict[str, Any]:
    """Declared properties beside patterns of names, and what every other property is."""
    return {
        "type": "object",
        "properties": {"page": {"allOf": [{"$ref": "#/$defs/job"}, {"type": "object", "properties": {"n": then}}]}},
        "patternProperties": {"^[.]": {"anyOf": [{"$ref": "#/$defs/job"}, {}]}},
        "additionalProperties": {"$ref": "#/$defs/job"},
        "$defs": {"job": {"type": "object", "properties": {"run": further}, "additionalProperties": True}},
    }


PAIRS = {
    "a tool among many has lost an input": (tools(), tools(gone=NAMES[20])),
    "an input of every tool is another kind": (tools(kind="integer"), tools()),
    "a declared property beside patterns": (patterned(TEXT, TEXT), patterned({"type": "integer"}, TEXT)),
    "what every other property is": (patterned(TEXT, TEXT), patterned(TEXT, {"type": "integer"})),
    "a part of an `allOf`": (
        {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}], "type": "object"},
        {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": {"maxLength": 3}}}], "type": "object"},
    ),
    "beside a pattern that takes long": (
        {"type": "object", "properties": {"cron": {"type": "string", "pattern": SLOW}, "if": TEXT}},
        {
            "type": "object",
            "properties": {"cron": {"type": "string", "pattern": SLOW.replace("{5}", "{5,6}")}, "if": {"maxLength": 9}},
        },
    ),
}


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
@pytest.mark.parametrize("name", PAIRS)
def test_the_place_that_differs_is_found_within_a_part_of_the_budget(name: str, policy: Policy) -> None:
    verdict = check(*PAIRS[name], policy=policy, budget_ms=20 if "takes long" in name else 100)
    assert isinstance(verdict, Incompatible)
    assert verdict.reasons


def test_a_message_that_was_found_is_confirmed_though_the_search_for_others_takes_all_the_time() -> None:
    """Each way to break the consumer is searched for its reason: half of what is left is kept for the verdict."""
    slow = {f"cron{at}": {"type": "string", "pattern": SLOW} for at in range(2)}
    wide = {name: {"type": "string", "pattern": SLOW.replace("{5}", "{4,5}")} for name in slow}
    produced = {"type": "object", "properties": {"first": TEXT, **wide}, "minProperties": 0}
    accepted = {"type": "object", "properties": {"first": {"type": "integer"}, **slow}}
    verdict = check(produced, accepted, policy="strict", budget_ms=20)
    assert isinstance(verdict, Incompatible)
    assert verdict.reasons[0].path == "$.first"


def test_what_a_map_allows_and_what_a_form_of_a_union_needs_hide_no_other_reason() -> None:
    """A property that the producer does not declare is what its map allows; a message shows one difference alone."""
    order = {"properties": {"paid": {"type": "boolean"}, "by": {"type": "string"}}, "required": ["by"]}
    verdict = check({"type": "object", "additionalProperties": {"type": "string"}}, order)
    assert {reason.path for reason in verdict.reasons} == {"$", "$.paid"}

    def union(kind: list[str], amount: str) -> dict[str, Any]:
        money = {"type": "object", "properties": {"amount": {"type": amount}}, "required": ["amount"]}
        own = {"kind": {"type": kind}, "items": money, "tag": {"const": "a"}}
        form = {"type": "object", "properties": own, "required": [*own]}
        return {"anyOf": [form, {"type": "object", "properties": {"tag": {"const": "b"}}, "required": ["tag"]}]}

    verdict = check(union(["integer", "null"], "number"), union(["integer"], "integer"), policy="closed-producer")
    assert {reason.path for reason in verdict.reasons} == {"$.kind", "$.items.amount"}
