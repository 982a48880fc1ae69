"""The standard error of this process and its children in a file that may be read while they write.

`capfd.readouterr` reads what it holds and cuts it off after that: a line that is written in between is lost. A test
that waits for a line reads this file instead. Not as a fixture: pytest begins to capture anew after those.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ErrorsFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        """The lines that have been written to their end."""
        return self.path.read_text(errors="replace").split("\n")[:-1]

    def events(self) -> list[str]:
        """The names of the events that were logged."""
        return [json.loads(line)["event"] for line in self.lines() if line.startswith("{")]


@contextmanager
def errors_to(folder: Path) -> Iterator[ErrorsFile]:
    path = folder / "errors.txt"
    before, stream = os.dup(2), sys.stderr
    # Opened to append: what several processes write stands one after the other.
    with path.open("a", buffering=1) as file:
        os.dup2(file.fileno(), 2)
        sys.stderr = file
        try:
            yield ErrorsFile(path)
        finally:
            sys.stderr = stream
            os.dup2(before, 2)
            os.close(before)
