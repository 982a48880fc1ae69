"""Clocks that are wrong, and clocks that jump: an hour ahead, an hour behind, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.run import run

HOUR = 3600
WRONG = {
    "p0": f"+{HOUR}/1.1",
    "p1": f"-{HOUR}/1.3",
    "solo-0": f"+{HOUR}/0.7",
    "news-0": f"-{HOUR}",
    "pool-0": f"-{HOUR}/0.9",
    "projection-0": f"+{HOUR}/0.8",
    "projection-1": f"-{HOUR}/1.7",
}


@pytest.mark.long
def test_wrong_and_jumping_clocks_lose_double_and_disorder_nothing(folder: Path) -> None:
    # Without delayed messages: when those are due is by the clock of who looks.
    plan = Plan(
        seconds=6.0,
        clocks=WRONG,
        outboxes=3,
        rest_s=50.0,
        faults={"kill publisher": 1, "kill projection": 1},
        faults_per_s=1.0,
    )
    outcome = run(plan, folder)
    assert outcome.findings.breaches == []
    assert outcome.findings.handled > 300
