"""How much of the code the tests have run, floor by floor, from the data that `make coverage` has gathered.

    python tools/covered.py [--data FILE]

Law: floors 0 to 2 have no outside in them, so each branch of theirs can be reached; what is not is named by file and
line. Exits 1 where they, or all of the code, have fallen below what was reached before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import coverage

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.test_floors import floor_of  # noqa: E402

# In percent of the lines and branches; raise them when more is reached.
LEAST_PURE, LEAST_ALL = 99.5, 90.0


def floor(file: str) -> int:
    return floor_of(".".join(Path(file).with_suffix("").parts).removesuffix(".__init__"))


def percent(covered: int, of: int) -> float:
    return 100 * covered / of if of else 100.0


def figures(data: str | None) -> dict[str, Any]:
    """The report of coverage.py on each file."""
    # No name at all would be data in memory alone.
    measured = coverage.Coverage(
        data_file=data or str(REPOSITORY / ".coverage"), config_file=str(REPOSITORY / "pyproject.toml")
    )
    measured.load()
    with tempfile.NamedTemporaryFile() as out:
        measured.json_report(outfile=out.name)
        return json.loads(Path(out.name).read_bytes())["files"]


def row(name: str, sums: Counter[str]) -> str:
    lines, branches = sums["num_statements"], sums["num_branches"]
    return (
        f"{name:13} {percent(sums['covered_lines'], lines):7.2f} % of {lines:6} lines"
        f" {percent(sums['covered_branches'], branches):7.2f} % of {branches:6} branches"
    )


def together(sums: Counter[str]) -> float:
    return percent(sums["covered_lines"] + sums["covered_branches"], sums["num_statements"] + sums["num_branches"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="where coverage.py has put what it measured")
    files = figures(parser.parse_args().data)
    floors: dict[int, Counter[str]] = {}
    for file, found in files.items():
        counted = {name: value for name, value in found["summary"].items() if isinstance(value, int)}
        floors.setdefault(floor(file), Counter()).update(counted)
        if floor(file) <= 2 and (found["missing_lines"] or found["missing_branches"]):
            arrows = [f"{start}->{'exit' if end < 0 else end}" for start, end in found["missing_branches"]]
            print(f"{file}: lines {found['missing_lines'] or 'all'}, branches {' '.join(arrows) or 'all'}")
    for number, sums in sorted(floors.items()):
        print(row(f"floor {number}", sums))
    pure = sum((sums for number, sums in floors.items() if number <= 2), Counter[str]())
    every = sum(floors.values(), Counter[str]())
    print(row("floors 0 to 2", pure))
    print(row("all", every))
    return 0 if together(pure) >= LEAST_PURE and together(every) >= LEAST_ALL else 1


if __name__ == "__main__":
    sys.exit(main())
