"""Defects put in on purpose: the harness must notice each, or its green says nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.chaos.plan import Plan
from tests.chaos.run import run

# Short runs with what brings the defect to light, and nothing that hides it (an outbox sends again what was lost).
AIMED = Plan(
    seconds=2.0,
    publishers=2,
    outboxes=0,
    consumers=("solo",),
    ordered=(),
    bare=("solo",),
    janitor=False,
    faults={"kill consumer": 1, "kill projection": 2},
    faults_per_s=5.0,
    entries_per_s=10.0,
    slow_ms=4.0,
    rest_s=20.0,
)
CONTROLS = {
    # Handling takes longer than messages take to come: who is killed is killed in the midst of it.
    "ack-before-handling": (
        msgspec.structs.replace(AIMED, faults={"kill consumer": 1}, slow_ms=15.0, messages_per_s=40.0),
        "never handled by solo",
    ),
    "checkpoint-before-rows": (
        msgspec.structs.replace(AIMED, faults={"kill projection": 1}, seconds=3.0),
        "missing from projection",
    ),
    "no-deduplication": (AIMED, "more than once in projection"),
    "backwards": (
        msgspec.structs.replace(AIMED, faults={}, faults_per_s=0, ordered=("solo",), messages_per_s=200.0, slow_ms=0),
        "out of order",
    ),
    "stands-still": (
        msgspec.structs.replace(AIMED, faults={}, faults_per_s=0, back_s=3.0, rest_s=3.0),
        "does not work",
    ),
    "ends-by-itself": (msgspec.structs.replace(AIMED, faults={}, faults_per_s=0, seconds=3.0), "projection-0 ended by"),
    "stray-key": (msgspec.structs.replace(AIMED, faults={}, faults_per_s=0, seconds=3.0), "without an end"),
    "group-at-end": (msgspec.structs.replace(AIMED, consumers_late_s=1.0, seconds=1.0), "never handled by solo"),
}


@pytest.mark.parametrize("control", CONTROLS)
def test_the_harness_goes_red_for(folder: Path, control: str) -> None:
    plan, breach = CONTROLS[control]
    findings = run(msgspec.structs.replace(plan, control=control), folder).findings
    assert any(found.startswith(breach) for found in findings.breaches), findings


def test_the_same_faults_without_a_defect_leave_it_green(folder: Path) -> None:
    findings = run(msgspec.structs.replace(AIMED, consumers_late_s=1.0), folder).findings
    assert findings.breaches == []
    assert min(findings.returned, findings.handled_again, findings.bad_entries) > 0
