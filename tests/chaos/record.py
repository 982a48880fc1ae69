"""What a child process did, line by line, in a file of its own that a kill cannot tear.

Law: one line, or one batch of lines, is one `write` to a file opened for appending; so what a killed process has
written is whole lines. What is tried is written before it is tried, what returned after it returned.

| line | written by | |
| --- | --- | --- |
| `T target type number` | publisher | about to publish |
| `R target number` | publisher | its publish returned |
| `X target number error` | publisher | its publish raised |
| `H source target type number at_ns` | consumer | handled; the clock is monotonic and the same for all processes |
| `F source target number` | consumer | its handler raised on purpose |
| `B text` | consumer | handled something that nobody can have sent |
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

# What kind of message: in order; one whose handler raises at first; one that waits on the server before it is due.
PLAIN, FLAKY, DELAYED = "plain", "flaky", "delayed"


class Mark(msgspec.Struct, forbid_unknown_fields=True):
    """The payload: the number of the message among those from its source to its target, and a check of the three."""

    number: int
    check: int
    filler: str = ""


def mark(source: str, target: str, number: int, filler: str = "") -> Mark:
    return Mark(number, check(source, target, number), filler)


def check(source: str, target: str, number: int) -> int:
    return zlib.crc32(f"{source} {target} {number}".encode())


class Recorder:
    """Appends lines."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def lines(self, lines: Iterable[str]) -> None:
        os.write(self._descriptor, "".join(line + "\n" for line in lines).encode())

    def line(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


def read(path: Path) -> Iterator[list[str]]:
    """The words of each line."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield line.split()
