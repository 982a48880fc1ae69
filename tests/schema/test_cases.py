"""Pairs with known answers: our own, written by hand, and those that lie beside the repository at its makers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claude_comm.schema import Incompatible, check
from claude_comm.schema.containment.confirm import Side, accepts
from claude_comm.schema.dialect import DEFAULT, dialect_of
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import contained

OWN = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[3] / "shared" / "cases"
FLOORS = {"message-schemas": 0.995, "hard": 0.95, "official-suite": 0.995}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


HAND = read(OWN / "hand.jsonl")


@pytest.mark.parametrize("case", HAND, ids=[case["id"] for case in HAND])
def test_our_own_pairs_are_decided_and_right(case: dict[str, Any]) -> None:
    verdict = check(case["sub"], case["sup"], policy="strict")
    assert contained(verdict) if case["contained"] else isinstance(verdict, Incompatible), verdict
    if isinstance(verdict, Incompatible):
        assert verdict.reasons


@pytest.mark.parametrize("name", FLOORS)
def test_the_shared_pairs(name: str) -> None:
    path = SHARED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the shared pairs are not part of a clone")
    cases = read(path)
    decided = 0
    for case in cases:
        verdict = check(case["sub"], case["sup"], policy="strict", default_dialect=case["dialect"])
        if isinstance(verdict, Incompatible):
            assert not case["contained"], case["id"]
            assert is_witness(case, verdict.witness), case["id"]
        elif contained(verdict):
            assert case["contained"], case["id"]
        decided += verdict.answer != "undecided"
    assert decided >= FLOORS[name] * len(cases)


def is_witness(case: dict[str, Any], witness: Any) -> bool:
    said = []
    for schema in (case["sub"], case["sup"]):
        dialect = dialect_of(schema, case["dialect"])
        side = Side(schema, dialect, normalise(schema, dialect))
        said.append(accepts(side, witness, lambda: None))
    return said == [True, False]


def test_the_default_dialect_is_the_newest() -> None:
    assert dialect_of({}) == DEFAULT == "draft2020-12"
