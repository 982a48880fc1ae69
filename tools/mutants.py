"""Changes the code in small ways, one at a time, and tells which changes no test notices.

    python tools/mutants.py claude_comm/delivery --tests tests/delivery
    python tools/mutants.py claude_comm/schema/containment --tests tests/schema --sample 100 --seed 1

Law: the files stay as they are. A mutant lives in one forked process: the fork of one that has collected the tests runs
those that run the changed line, quickest first (`warm_tests.py`). For what runs at the import of a module, a process
imports the changed module in place of the file and collects those tests; with `--exact` every mutant is tried so, on
all tests. Processes that a test starts run the unchanged code. A mutant is killed when a test fails or takes far longer
than it does without it. Texts are not changed: what an error says is read by tests of other folders.

A file is read once: it may be edited while its changes are tried. With `--since COMMIT` only functions that are not
as they were at that commit are changed.

Exits 1 where a mutant survives.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from changes import Mutant, mutants_of, newer
from warm_tests import (
    REFUSED_OUTCOME,
    Measured,
    Outcome,
    WarmTests,
    forked,
    imported,
    in_fork,
    read,
    running,
    running_file,
    use_warm_tests,
)

REPOSITORY = Path(__file__).resolve().parent.parent

# Up to the first failure, with the same examples for each mutant. That hypothesis is loaded already is no fault.
OPTIONS = "-x -q -p no:cacheprovider --hypothesis-seed=0 -W ignore::pytest.PytestAssertRewriteWarning".split()

FOR_EVER = float("inf")
FATES = ("killed", "timed out", "survived")
# What more tests might still notice, or another way to try it.
AGAIN = ("survived", "refused")

# The file, the number of the change in it, and the code after it.
Key = tuple[str, int, str]
Record = dict[str, Any]
UNTRIED: Record = {"fate": "refused", "most_s": 0.0}


class Run:
    """One run of the tool: what was asked, and the file that each record is appended to."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked = asked
        self.out: Path = asked.out or folder / "out.jsonl"
        self.measurements: Path = asked.measured or folder / "measured"
        self.options = [*OPTIONS, *asked.tests, *(f"--deselect={test}" for test in asked.deselect)]
        self.until = time.monotonic() + asked.within

    def records(self) -> dict[Key, Record]:
        """The last record of each mutant."""
        lines = self.out.read_text(encoding="utf-8").splitlines() if self.out.exists() else []
        return {(record["file"], record["number"], record["after"]): record for record in map(json.loads, lines)}

    def left(self, mutants: Iterable[Mutant]) -> Iterator[tuple[Mutant, float]]:
        """Those to be tried, each with the seconds of tests that have not noticed it before."""
        records = self.records()
        for mutant in mutants:
            record = records.get(key_of(mutant), UNTRIED)
            if record["fate"] in AGAIN and record["most_s"] < self.asked.most:
                yield mutant, record["most_s"]

    def record(self, mutant: Mutant, outcome: Outcome) -> None:
        most_s = 0.0 if outcome == REFUSED_OUTCOME else self.asked.most
        known = {**outcome._asdict(), "most_s": most_s, **mutant._asdict(), **mutant.place._asdict()}
        with self.out.open("a", encoding="utf-8") as out:
            print(json.dumps({**known, "file": str(mutant.file), "place": None}), file=out)

    def warm(self, warm: WarmTests, mutants: Sequence[Mutant]) -> None:
        """Everything that a forked process can try; what it refuses is recorded as such."""
        files = list(dict.fromkeys(mutant.file for mutant in mutants))
        measured = read(self.measurements) if self.measurements.exists() else warm.measured(files, self.measurements)
        if self.asked.exact:
            return
        left = [pair for pair in self.left(mutants) if pair[0].place.outermost]
        shares = [left[place :: self.asked.processes] for place in range(self.asked.processes)]
        workers = [forked(lambda share=share: self.work(warm, share, measured)) for share in shares]
        if sum(os.waitpid(worker, 0)[1] for worker in workers):
            raise RuntimeError("a process that tried mutants has ended before it was done")

    def work(self, warm: WarmTests, left: Iterable[tuple[Mutant, float]], measured: Measured) -> None:
        os.nice(self.asked.nice)
        for mutant, begun_s in left:
            if time.monotonic() > self.until:
                return
            known = running(mutant, measured)
            tests = chosen_tests(known, measured, begun_s, self.asked)
            outcome = warm.outcome(mutant, tests, measured) if tests else Outcome("survived")
            self.record(mutant, outcome if known else REFUSED_OUTCOME)

    def import_each(self, mutants: Sequence[Mutant]) -> None:
        """What no fork can try: each in a process that imports the changed module and collects the tests anew."""
        measured = read(self.measurements)
        for mutant, begun_s in self.left(mutants):
            if time.monotonic() > self.until:
                return
            known = running(mutant, measured) or running_file(mutant, measured)
            tests = chosen_tests(measured.seconds if self.asked.exact else known, measured, begun_s, self.asked)
            outcome = imported(mutant, tests, measured, self.options) if tests else Outcome("survived")
            self.record(mutant, outcome)


def chosen_tests(tests: Iterable[str], measured: Measured, begun_s: float, asked: argparse.Namespace) -> list[str]:
    """The quickest, which together take the seconds that are allowed, without those that had begun before."""
    total, chosen = 0.0, []
    for test in sorted(tests, key=lambda test: measured.seconds[test]):
        total += measured.seconds[test]
        if begun_s < total <= asked.most and measured.seconds[test] <= asked.slowest:
            chosen.append(test)
    return chosen


def key_of(mutant: Mutant) -> Key:
    return str(mutant.file), mutant.number, mutant.after


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="files and folders to change")
    parser.add_argument("--tests", nargs="+", required=True, help="what has to notice: files and folders")
    parser.add_argument("--deselect", nargs="*", default=[], help="tests to leave out, by their ids")
    parser.add_argument("--slowest", type=float, default=FOR_EVER, help="leave out a test that takes so many seconds")
    parser.add_argument(
        "--most", type=float, default=FOR_EVER, help="for one mutant, the quickest tests that take so many seconds"
    )
    parser.add_argument("--since", help="a commit: change only functions that have another code than there")
    parser.add_argument("--sample", type=int, help="try so many, chosen at random, instead of all")
    parser.add_argument("--seed", type=int, default=1, help="for the sample")
    parser.add_argument("--within", type=float, default=FOR_EVER, help="begin no mutant after so many seconds")
    parser.add_argument("--exact", action="store_true", help="import and collect anew for each mutant, try all tests")
    parser.add_argument("--processes", type=int, default=2, help="how many try mutants at a time")
    parser.add_argument("--nice", type=int, default=15, help="how far they stand back for others")
    parser.add_argument(
        "--out",
        type=Path,
        help="a file for one JSON line per mutant; those named there are done, but for survivors of fewer seconds",
    )
    parser.add_argument("--measured", type=Path, help="a file that keeps which tests run which lines, and for how long")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(given)
    os.chdir(REPOSITORY)
    every = mutants_of(asked.sources)
    if asked.since:
        every = newer(every, asked.since)
    # In the order of chance: where the time is short, what was tried is still a sample of all.
    chosen = random.Random(asked.seed).sample(every, min(asked.sample, len(every))) if asked.sample else every
    with tempfile.TemporaryDirectory() as folder:
        run = Run(asked, Path(folder))
        # In a fork: this process has imported nothing of what is changed.
        if in_fork(lambda: use_warm_tests(run.options, lambda warm: run.warm(warm, chosen))):
            print("the tests fail without any change, or none was found", file=sys.stderr)
            return 2
        run.import_each(chosen)
        return told(every, chosen, run.records())


def told(every: Sequence[Mutant], chosen: Sequence[Mutant], records: dict[Key, Record]) -> int:
    """Names what survived; the exit code."""
    fates = {key_of(mutant): records[key_of(mutant)]["fate"] for mutant in chosen if key_of(mutant) in records}
    survivors = [mutant for mutant in chosen if fates.get(key_of(mutant)) in AGAIN]
    for mutant in survivors:
        print(mutant)
    counts = Counter(fates.values())
    told = ", ".join(f"{counts[fate]} {fate}" for fate in FATES)
    print(f"{len(every)} mutants, {len(fates)} tried: {told}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
