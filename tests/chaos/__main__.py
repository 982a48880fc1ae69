"""`python -m tests.chaos --seconds 60 --seed 1`: one run; the figures on stdout, exit 1 when a guarantee broke."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.plan import FAULTS, Plan
from tests.chaos.run import Outcome, run
from tests.chaos.stage import STRUCK

# Clocks that jump, of those for whom no message waits until a time of day.
CLOCKS = {"p0": "+3600/11", "projection-1": "-3600/7"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    plain = Plan()
    parser.add_argument("--seconds", type=float, default=plain.seconds)
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--fsync", choices=("always", "everysec", "no"), default=plain.fsync)
    parser.add_argument(
        "--faults", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT", help=str(list(FAULTS))
    )
    parser.add_argument("--faults-per-s", type=float, default=plain.faults_per_s)
    parser.add_argument("--messages-per-s", type=float, default=plain.messages_per_s, help="of each publisher")
    parser.add_argument("--control", choices=STRUCK, default="", help="a defect put in on purpose: this run must fail")
    parser.add_argument("--least-faults", type=int, default=0, help="fail when fewer struck")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    given = parser.parse_args()
    plan = Plan(
        seconds=given.seconds,
        seed=given.seed,
        fsync=given.fsync,
        faults={kind: FAULTS[kind] for kind in given.faults},
        faults_per_s=given.faults_per_s,
        messages_per_s=given.messages_per_s,
        # A server that flushes every second may lose what it confirmed meanwhile: there all have an outbox.
        outboxes=plain.outboxes if given.fsync == "always" else plain.publishers,
        control=given.control,
        replica=True,
        negotiation=True,
        late_s=2.0,
        clocks=CLOCKS,
    )
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    outcome = run(plan, folder)
    print(words(outcome))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    if given.keep or not outcome.findings.green:
        print(f"what the run left is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    few = outcome.struck < given.least_faults
    if few:
        print(f"only {outcome.struck} faults struck: {given.least_faults} were asked for", file=sys.stderr)
    return 0 if outcome.findings.green and not few else 1


def words(outcome: Outcome) -> str:
    """The figures for people."""
    found = outcome.findings
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.faults.items()))
    entries = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.entries.items()))
    pauses = ", ".join(f"{module} {pause:g} s" for module, pause in found.longest_pause_s.items())
    lines = [
        f"seed {outcome.plan.seed}, {outcome.plan.seconds:g} s, appendfsync {outcome.plan.fsync}; "
        f"all at work again {outcome.back_s:.1f} s after the last fault, at rest {outcome.rest_s:.1f} s later",
        f"{outcome.struck} faults: {kinds}",
        f"{sum(outcome.entries.values())} entries put in: {entries}",
        f"{found.publishes} publishes: {found.returned} returned, {found.raised} raised",
        f"{found.handled} messages handled, {found.handled_again} handlings more than one each (allowed); "
        f"{found.failed_once} failed on purpose and were retried",
        f"{found.stored} stored; {found.sent_again_after_loss} sent again: "
        "the server had lost them, or trimmed them unseen",
        f"longest pause of a module: {pauses}",
        f"lost {found.lost}, doubled in a projection {found.doubled}, never sent {found.strange}, "
        f"out of order {found.disordered}, dropped in silence {found.silent}, wrongly buried {found.unjust}",
        f"ended by themselves {found.ended}, not at work again {found.idle}, keys without an end {found.endless}",
        *(f"BROKEN: {breach}" for breach in found.breaches),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
