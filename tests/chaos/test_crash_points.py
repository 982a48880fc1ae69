"""Processes that die at named points: before and after a command reaches the server, a statement the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.run import run

# Who dies where, at the how-manieth arrival in each of its first lives. The outbox's `INSERT` and the projection's are
# statements of SQLite, as are BEGIN and COMMIT; the others are commands.
POINTS = {
    "as it sends, claims and begins": {
        "p0": "XADD:before:4",
        "p1": "XADD:after:4",
        "solo-0": "XACK:before:4",
        "news-0": "XACK:after:4",
        "pool-0": "XAUTOCLAIM:before:2",
        "pool-1": "XAUTOCLAIM:after:2",
        "projection-0": "BEGIN:after:4",
        "projection-1": "COMMIT:before:4",
    },
    "as it writes and commits": {
        "p0": "INSERT:after:4",
        "p1": "COMMIT:after:4",
        "solo-0": "XREADGROUP:after:4",
        "news-0": "EVALSHA:after:4",
        "pool-0": "XACK:after:3",
        "pool-1": "EVALSHA:before:4",
        "projection-0": "COMMIT:after:4",
        "projection-1": "INSERT:after:9",
    },
    "as it begins": {
        "p0": "BEGIN:before:4",
        "p1": "COMMIT:before:4",
        "solo-0": "XGROUP:before:1",
        "news-0": "XREADGROUP:before:3",
        "pool-0": "SADD:after:1",
        "pool-1": "XACK:before:3",
        "projection-0": "XREAD:after:4",
        "projection-1": "XINFO:after:1",
    },
}


@pytest.mark.long
@pytest.mark.parametrize("when", POINTS)
def test_whoever_dies_at_a_named_point_loses_and_doubles_nothing(folder: Path, when: str) -> None:
    plan = Plan(seconds=3.0, faults_per_s=0, entries_per_s=2.0, dies=POINTS[when])
    outcome = run(plan, folder)
    assert outcome.findings.breaches == []
    survived = {name for name in POINTS[when] if outcome.restarts[name] < plan.deaths}
    assert not survived, "these did not reach their point in every life that they should have died in"
