"""Runs the benchmarks: `python -m benchmarks` for all, `python -m benchmarks NAME ...` for some.

Each prints medians, spread and ratios of things measured side by side in this one run; absolute figures move with
the machine.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Runs each named benchmark's `main()`; the exit code."""
    known = sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.name[0] != "_")
    known.remove("side_by_side")
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in wanted or known:
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
