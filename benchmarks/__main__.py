"""Runs the benchmarks: `python -m benchmarks` for all, `python -m benchmarks NAME ...` for some.

Each measures its ways side by side, interleaved in this one run, prints a table, and writes it with a plot to
`benchmarks/results/`. Absolute figures move with the machine. `python -m benchmarks endurance` is not among them: it
takes many minutes.
"""

from __future__ import annotations

import importlib
import sys

from benchmarks import results, targets
from benchmarks.side_by_side import Result

NAMES = (
    *("publish", "consume", "latency", "request", "negotiate", "materialise", "cluster", "startup", "depth"),
    *("schema_check", "instances", "idle", "impact", "signed", "traced", "pipeline"),
)
# What takes many minutes and its own words, and is run alone.
ALONE = ("endurance", "gateway", "large")


def main(wanted: list[str]) -> int:
    """Runs each named benchmark's `main()`; the exit code."""
    if wanted and wanted[0] in ALONE:
        code: int = importlib.import_module(f"benchmarks.{wanted[0]}").main(wanted[1:])
        return code
    unknown = set(wanted) - set(NAMES)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join((*NAMES, *ALONE))}", file=sys.stderr)
        return 2
    found: list[Result] = []
    for name in wanted or NAMES:
        measured: list[Result] = importlib.import_module(f"benchmarks.{name}").main()
        results.write(measured)
        for result in measured:
            print(f"\n{results.table(result)}", flush=True)
        found += measured
    print(targets.table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
