"""Very wide schemas are answered within a small budget, and no other thread of the caller waits long."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from claude_comm.schema import check
from claude_comm.schema.budget import Budget
from claude_comm.schema.containment.check import check as pure_check
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver.difference import SchemaPair
from tests.support.clocks import EndingClock, processor

BUDGETS_MS = (200, 2_000) if os.environ.get("COMM_LONG") == "1" else (200,)
Pair = tuple[Any, Any]


def properties(count: int) -> Pair:
    one = {f"p{i}": {"type": "string", "maxLength": i % 50} for i in range(count)}
    other = {name: {"type": "string", "maxLength": 60} for name in one}
    return {"type": "object", "properties": one}, {"type": "object", "properties": other, "required": list(one)[:99]}


def words(count: int) -> Pair:
    listed = [f"v{i}" for i in range(count)]
    return {"properties": {"a": {"enum": [*listed, "w"]}}}, {"properties": {"a": {"enum": listed}}}


def constants(count: int) -> Pair:
    listed = [{"k": i} for i in range(count)]
    return {"properties": {"a": {"enum": listed}}}, {"properties": {"a": {"enum": [*listed, 1]}}}


def one_constant(count: int) -> Pair:
    listed = {"properties": {"a": {"const": [[i, i] for i in range(count)]}}}
    return listed, listed


def required(count: int) -> Pair:
    listed = {"type": "object", "required": [f"a{i}" for i in range(count)]}
    return listed, {**listed, "minProperties": 1}


def alternatives(count: int) -> Pair:
    forms = [{"type": "object", "properties": {"k": {"const": f"t{i}"}}, "required": ["k"]} for i in range(count)]
    return {"anyOf": forms}, {"oneOf": forms}


def dependent(count: int) -> Pair:
    listed = {"dependentSchemas": {f"a{i}": {"required": [f"b{i}"]} for i in range(count)}}
    return listed, {**listed, "maxProperties": count}


def nested(count: int) -> Pair:
    below = {f"p{i}": {"items": {"type": "integer"}} for i in range(count)}
    return {"items": {"properties": below}}, {"items": {"properties": {**below, "p0": {"items": {"type": "number"}}}}}


WIDE: list[tuple[Callable[[int], Pair], int]] = [
    (properties, 12_000), (words, 40_000), (constants, 15_000), (one_constant, 15_000), (required, 45_000),
    (alternatives, 4_000), (dependent, 8_000), (nested, 9_000),
]  # fmt: skip


@pytest.fixture
def alone() -> Iterator[None]:
    """Leaves what the tests before have kept out of the garbage collector's way: its size is not the engine's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("alone", "timed")
@pytest.mark.parametrize("budget_ms", BUDGETS_MS)
@pytest.mark.parametrize(("family", "count"), WIDE)
def test_a_wide_schema_is_answered_within_its_budget(
    family: Callable[[int], Pair], count: int, budget_ms: float
) -> None:
    one, other = family(count)
    for produced, accepted in ((one, other), (other, one)):
        with processor(budget_ms):
            check(produced, accepted, budget_ms=budget_ms)


def test_what_a_large_schema_was_too_large_for_is_told() -> None:
    one, other = properties(2_000)
    for looks, name in ((1, "produced"), (5, "accepted")):
        verdict = pure_check(one, other, clock=EndingClock(looks))
        assert f"{name} schema is too large" in verdict.why  # type: ignore[union-attr]


def test_the_nodes_of_a_proof_are_no_business_of_the_collector() -> None:
    """Its looks at hundreds of thousands of them stopped every thread of the caller, for up to 0.7 s."""
    one, other = (normalise(schema, DEFAULT) for schema in required(3_000))
    gc.collect()
    before = len(gc.get_objects())
    question = SchemaPair(one, other, Budget(10_000))
    question.ask()
    assert len(question.factory) > 1_000
    assert not any(gc.is_tracked(node) for table in question.factory._tables.values() for node in table.values())
    # And they are freed when the proof is over, not when the collector comes by.
    gc.disable()
    try:
        del question
        assert len(gc.get_objects()) - before < 2_000
    finally:
        gc.enable()
