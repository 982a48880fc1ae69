"""A pair has one verdict, to the letter: not another one in another process, whose addresses and hashes differ."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
import msgspec
from claude_comm.schema import check
from claude_comm.schema.regex.language import Language

for path in sys.argv[1:]:
    for line in open(path, "rb"):
        pair = msgspec.json.decode(line)
        verdict = check(pair["sub"], pair["sup"], policy="strict")
        print(msgspec.json.encode([type(verdict).__name__, verdict]).decode())
literals = ["error", "usd", "done", "paid", "shipped"]
for least in range(1, 4):
    print((Language.lengths(least, None) - Language.literals(literals)).shortest())
"""
CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.jsonl"))


def answers(seed: int) -> list[str]:
    words = [sys.executable, "-c", PROGRAM, *map(str, CASES)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_verdict_is_the_same_in_every_process() -> None:
    first, *others = [answers(seed) for seed in range(4)]
    assert len(first) > len(CASES)
    assert all(other == first for other in others)
