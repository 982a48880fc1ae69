"""One run: start, strike, come to rest, count up."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from tests.chaos.faults import Faults
from tests.chaos.gather import gather
from tests.chaos.plan import Plan
from tests.chaos.stage import Stage
from tests.chaos.verdict import Findings, weigh

_TURN_S = 0.005
# How much longer a run may take for its crash points to be reached.
_DEATHS_S = 20.0


class Outcome(msgspec.Struct):
    """The plan, what struck, how long it took to come to rest, and what was found."""

    plan: Plan
    faults: dict[str, int]
    entries: dict[str, int]
    restarts: dict[str, int]
    rest_s: float
    findings: Findings

    @property
    def struck(self) -> int:
        return sum(self.faults.values())


def run(plan: Plan, folder: Path) -> Outcome:
    """The folder is empty and its path short."""
    stage = Stage(plan, folder)
    try:
        stage.start()
        start_ns = time.monotonic_ns()
        faults = Faults(plan, stage)
        end = time.monotonic() + plan.seconds
        while time.monotonic() < end or (_dying(stage) and time.monotonic() < end + _DEATHS_S):
            stage.tick()
            faults.tick()
            time.sleep(_TURN_S)
        quiet_ns = time.monotonic_ns()
        faults.end()
        stage.quiet.touch()
        restless, rest_s = _rest(stage, plan.rest_s)
        stage.close()
        findings = weigh(gather(stage, faults, restless, (start_ns, quiet_ns)))
        restarts = {child.name: child.starts - 1 for child in stage.everyone}
        return Outcome(plan, dict(faults.struck), dict(faults.entries), restarts, rest_s, findings)
    finally:
        stage.destroy()


def _dying(stage: Stage) -> bool:
    return any(child.mortal for child in stage.everyone if child.name in stage.plan.dies)


def _rest(stage: Stage, within_s: float) -> tuple[str, float]:
    """What does not come to rest, if anything, and how long it took."""
    start = time.monotonic()
    unrest = "nothing was looked at"
    while time.monotonic() - start < within_s:
        stage.tick()
        # Twice in a row: the first look may have come between two steps.
        if not (unrest := stage.unrest()) and not (unrest := stage.unrest()):
            return "", time.monotonic() - start
        time.sleep(0.1)
    return f"not at rest after {within_s:g} s: {unrest}", within_s
