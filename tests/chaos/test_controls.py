"""Defects put in on purpose: the harness must notice each, or its green says nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.chaos.plan import Plan
from tests.chaos.run import run

# Short runs with what brings the defect to light, and nothing that hides it (an outbox sends again what was lost).
# Nobody is struck by chance: a defect that a kill shows brings its own, see `tamper`.
AIMED = Plan(
    seconds=0.3,
    publishers=1,
    outboxes=0,
    consumers=("solo",),
    projections=1,
    ordered=(),
    bare=("solo",),
    janitor=False,
    faults={},
    faults_per_s=0,
    entries_per_s=0,
    rest_s=20.0,
)
COPIED = msgspec.structs.replace(AIMED, entries_per_s=50.0, least_entries=8)
CONTROLS = {
    "ack-before-handling": (AIMED, "never handled by solo"),
    "checkpoint-before-rows": (AIMED, "missing from projection"),
    "no-deduplication": (COPIED, "more than once in projection"),
    # Those that read last find more than one message to read.
    "backwards": (
        msgspec.structs.replace(AIMED, ordered=("solo",), messages_per_s=200.0, consumers_last=True),
        "out of order",
    ),
    "stands-still": (msgspec.structs.replace(AIMED, back_s=1.0, rest_s=0.1), "does not work"),
    "ends-by-itself": (AIMED, "projection-0 ended by"),
    "stray-key": (AIMED, "without an end"),
    "counts-unseen": (
        msgspec.structs.replace(AIMED, dies={"solo-0": "XACK:before:2"}, deaths=1),
        "good messages were buried",
    ),
    "group-at-end": (msgspec.structs.replace(AIMED, consumers_last=True), "never handled by solo"),
}


# Each is tried in the long run; the first two are tried in every run.
@pytest.mark.parametrize(
    "control",
    [control if place < 2 else pytest.param(control, marks=pytest.mark.long) for place, control in enumerate(CONTROLS)],
)
def test_the_harness_goes_red_for(folder: Path, control: str) -> None:
    plan, breach = CONTROLS[control]
    findings = run(msgspec.structs.replace(plan, control=control), folder).findings
    assert any(found.startswith(breach) for found in findings.breaches), findings


@pytest.mark.long
def test_the_same_without_a_defect_leaves_it_green(folder: Path) -> None:
    """With processes that die where those die that have the defect."""
    dies = {"solo-0": "XACK:after:2", "projection-0": "COMMIT:after:4"}
    plan = msgspec.structs.replace(COPIED, ordered=("solo",), consumers_last=True, dies=dies, deaths=1)
    outcome = run(plan, folder)
    assert outcome.findings.breaches == []
    assert min(outcome.findings.returned, outcome.findings.handled_again, outcome.findings.bad_entries) > 0
    assert all(outcome.restarts[name] for name in dies)
