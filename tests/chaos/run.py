"""One run: start, strike, come to rest, count up."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from tests.chaos.faults import COPY, Faults
from tests.chaos.gather import gather
from tests.chaos.plan import Plan
from tests.chaos.stage import Stage
from tests.chaos.verdict import Findings, weigh
from tests.chaos.work import idle_after, unrest_after

_TURN_S = 0.005
# How much longer a run may take for its crash points to be reached, and for what has to be put in.
_MORE_S = 60.0


class Outcome(msgspec.Struct):
    """The plan, what struck, how long it took until all worked again and came to rest, and what was found."""

    plan: Plan
    faults: dict[str, int]
    entries: dict[str, int]
    restarts: dict[str, int]
    back_s: float
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
        while time.monotonic() < end or (_unfinished(stage, faults) and time.monotonic() < end + _MORE_S):
            stage.tick()
            faults.tick()
            time.sleep(_TURN_S)
        quiet_ns = time.monotonic_ns()
        faults.end()
        idle, back_s = idle_after(stage, plan.back_s)
        stage.quiet.touch()
        unrest, rest_s = unrest_after(stage, plan.rest_s)
        restless = f"not at rest after {plan.rest_s:g} s: {unrest}" if unrest else ""
        stage.close()
        findings = weigh(gather(stage, faults, idle, restless, (start_ns, quiet_ns)))
        restarts = {child.name: child.starts - 1 for child in stage.everyone}
        return Outcome(plan, dict(faults.struck), dict(faults.entries), restarts, back_s, rest_s, findings)
    finally:
        stage.destroy()


def _unfinished(stage: Stage, faults: Faults) -> bool:
    few = min(faults.entries[COPY], len(faults.bad)) < stage.plan.least_entries
    return few or any(child.mortal for child in stage.everyone)
