"""Random pairs: every `Compatible` is attacked, every witness is looked at, and a planted fault is found."""

from __future__ import annotations

import importlib
import os
import random
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.containment import canonical
from claude_comm.schema.solver import arrays, numbers, objects
from claude_comm.schema.solver.result import UNSAT
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import contained
from tests.support.schemas.attack import breaking
from tests.support.schemas.pairs import Maker

LONG = os.environ.get("COMM_LONG") == "1"
PAIRS, SAMPLES = (2_500, 300) if LONG else (300, 60)
SEED = int(os.environ.get("COMM_SEED", "20"))


def pairs(count: int, seed: int) -> Iterator[tuple[random.Random, Any, Any]]:
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        yield chance, *Maker(chance).pair()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own prover, without a second opinion."""
    monkeypatch.setattr(canonical, "proves", lambda produced, accepted: None)


@pytest.mark.long
@pytest.mark.usefixtures("alone")
def test_every_compatible_survives_and_every_witness_breaks() -> None:
    undecided = 0
    for chance, produced, accepted in pairs(PAIRS, SEED):
        verdict = check(produced, accepted, policy="strict")
        if isinstance(verdict, Compatible):
            # Where nothing fits the producer's schema, that is what a message would refute.
            refused = False if verdict.vacuous else accepted
            found, _ = breaking(produced, refused, chance, SAMPLES)
            assert not found, (verdict, produced, refused, found)
        elif isinstance(verdict, Incompatible):
            assert compiled(produced, "draft2020-12").is_valid(verdict.witness)
            assert not compiled(accepted, "draft2020-12").is_valid(verdict.witness)
        else:
            undecided += 1
    assert undecided <= PAIRS // 20


@pytest.mark.usefixtures("alone")
def test_our_prover_and_the_canonical_forms_never_contradict_each_other() -> None:
    options = {"draft": jsonschema_rs.Draft202012, "validate_formats": False, "offline": True}
    for _, produced, accepted in pairs(PAIRS // 2, SEED + 1):
        if not (canonical.cheap(produced) and canonical.cheap(accepted)):
            continue
        verdict = check(produced, accepted, policy="strict")
        try:
            one, other = (jsonschema_rs.canonicalize(schema, **options) for schema in (produced, accepted))
            answer = other.covers(one)
        except ValueError:
            continue
        if answer == jsonschema_rs.canonical.Containment.YES:
            assert not isinstance(verdict, Incompatible), (produced, accepted)
        elif answer == jsonschema_rs.canonical.Containment.NO:
            assert not isinstance(verdict, Compatible), (produced, accepted)


def test_the_closed_producer_sends_no_more_than_its_schema_allows() -> None:
    for _, produced, accepted in pairs(PAIRS // 2, SEED + 2):
        verdict = check(produced, accepted)
        if isinstance(verdict, Incompatible):
            assert compiled(produced, "draft2020-12").is_valid(verdict.witness), (produced, verdict)
            assert not compiled(accepted, "draft2020-12").is_valid(verdict.witness)


def always_empty(self: Any) -> Any:
    return UNSAT


FAULTS = {
    "numbers with a step have no value": (numbers.NumberSolver, "_multiples", lambda self, step: UNSAT),
    "open bounds are forgotten": (numbers.NumberSolver, "admits", lambda self, number: False),
    "an array with counts has no value": (arrays.ArraySolver, "_walk", always_empty),
    "properties clash at once": (objects.ObjectSolver, "_closed", lambda self, name, node: True),
}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", FAULTS)
def test_the_attack_finds_a_planted_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, rule, wrong = FAULTS[name]
    monkeypatch.setattr(owner, rule, wrong)
    # One keyword at a time asks less of the prover, and so hides some faults of the proof that all of them need.
    monkeypatch.setattr(importlib.import_module("claude_comm.schema.containment.check"), "PATIENCE", 0)
    for chance, produced, accepted in pairs(400, SEED + 3):
        verdict = check(produced, accepted, policy="strict")
        if contained(verdict):
            found, _ = breaking(produced, accepted if isinstance(verdict, Compatible) else False, chance, 60)
            if found:
                return
    pytest.fail("the fault was not found")
