"""Corners of the standard, in every dialect: three readings of each schema, and verdicts under attack."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.confirm import compile_side
from claude_comm.schema.cost.validation_cost import circular
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.memoized import accepts
from tests.support.examples import examples
from tests.support.schemas import tricky
from tests.support.schemas.pairs import mutated

LONG = os.environ.get("COMM_LONG") == "1"
COUNT = 20_000 if LONG else examples(1_000)
pytestmark = pytest.mark.by_chance
SEED = int(os.environ.get("COMM_SEED", "40"))


def usable(seed: int, count: int) -> Iterator[tuple[random.Random, Any, Dialect]]:
    """Schemas that both validators can be asked about."""
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        schema, dialect = tricky.schema(chance)
        try:
            compile_side(schema, dialect)
        except SchemaError:
            continue
        yield chance, schema, dialect


def valid(compiled: Any, value: Any) -> bool | None:
    try:
        return bool(compiled.is_valid(value))
    except ValueError:  # the search of a pattern was given up
        return None


def test_the_formula_of_a_schema_says_what_the_validator_says() -> None:
    """The normal form and its formula are what proofs are about: each dialect's meaning, keyword by keyword."""
    said = 0
    for chance, schema, dialect in usable(SEED, COUNT):
        document, compiled = normalise(schema, dialect), compile_side(schema, dialect)
        if circular(document) is not None:
            continue
        for value in tricky.values(chance, 8):
            found, expected = accepts(document, value), valid(compiled, value)
            if found is not None and expected is not None:
                assert found == expected, (dialect, schema, value)
                said += 1
    assert said > 5 * COUNT


@pytest.mark.long
def test_verdicts_on_tricky_pairs_survive() -> None:
    for chance, produced, dialect in usable(SEED + 1, COUNT):
        accepted = tricky.edited(chance, produced, dialect) if chance.random() < 0.75 else tricky.schema(chance)[0]
        policy: Any = chance.choice(["strict", "closed-producer"])
        try:
            verdict = check(produced, accepted, policy=policy)
            takes = compile_side(accepted, tricky.dialect(accepted))
        except SchemaError:
            continue
        document = normalise(produced, dialect)
        sends = [compile_side(produced, dialect)]
        if policy != "strict":
            sends.append(compile_side(close(document).schema, DEFAULT))
        if isinstance(verdict, Incompatible):
            assert all(valid(each, verdict.witness) for each in sends), (produced, accepted, verdict)
            assert valid(takes, verdict.witness) is False, (produced, accepted, verdict)
        elif isinstance(verdict, Compatible):
            for message in _messages(chance, document.schema, harvest(produced, accepted)):
                if all(valid(each, message) for each in sends):
                    assert valid(takes, message) is not False, (produced, accepted, policy, message)


def _messages(chance: random.Random, schema: Any, found: Any) -> Iterator[Any]:
    guesses = [*itertools.islice(candidates(schema, found), 80), *tricky.values(chance, 40)]
    yield from guesses
    for _ in range(60):
        yield mutated(chance, chance.choice(guesses))
