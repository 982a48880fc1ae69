"""Large schemas of the kinds that are public: decided, in time, and never wrong."""

from __future__ import annotations

import os
import random

import pytest

from claude_comm.schema.validation.validator import well_formed
from tests.support.examples import ALL
from tests.support.schemas.real.documents import corpus
from tests.support.schemas.real.measure import POLICIES, Asked, asked, decided, pairs

LONG = os.environ.get("COMM_LONG") == "1"
SEED = int(os.environ.get("COMM_SEED", "28"))
BUDGET_MS = 2_000
# The last step, whose length no budget knows, on a machine that does other things.
SLACK_MS = 300
# One in so many pairs, unless all the time in the world is given.
EVERY = 1 if LONG else 9 if ALL else 27
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def answers() -> list[Asked]:
    """Pairs of the corpus under both policies, each `Compatible` attacked and each witness confirmed."""
    chosen = [*pairs(corpus(), random.Random(SEED))][SEED % EVERY :: EVERY]
    return [asked(pair, policy, BUDGET_MS, messages=20) for pair in chosen for policy in POLICIES]


def test_every_schema_of_the_corpus_is_one_in_its_dialect() -> None:
    documents = corpus()
    for document in documents:
        for version in document.versions:
            well_formed(version)
    assert len(documents) >= 50
    assert {version["$schema"] for document in documents for version in document.versions} >= {
        "https://json-schema.org/draft/2020-12/schema",
        "http://json-schema.org/draft-04/schema#",
    }


def test_no_verdict_on_a_real_schema_is_wrong(answers: list[Asked]) -> None:
    assert [(each.pair.name, each.policy, each.wrong) for each in answers if each.wrong] == []


def test_no_check_of_a_real_schema_takes_twice_its_budget(answers: list[Asked]) -> None:
    late = [(each.pair.name, each.took_ms) for each in answers if each.took_ms > 2 * BUDGET_MS + SLACK_MS]
    assert late == []


def test_real_schemas_are_decided(answers: list[Asked]) -> None:
    undecided = [
        (each.pair.kind, each.pair.name, each.policy, each.verdict) for each in answers if decided([each]) == 0
    ]
    assert decided([each for each in answers if each.pair.kind == "itself"]) == 100, undecided
    assert decided([each for each in answers if each.pair.kind == "version"]) >= 95, undecided
