"""Pages of documentation as a list of blocks: what a reader types, and what is printed then.

| block | what becomes of it |
| --- | --- |
| `sh` | typed into a shell, in the folder of the page |
| `python` | executed, in one scope a page; written to a file as well, where the first line is its name |
| `console` | lines with `$ ` are typed, those below them are printed; `  # exit N` is the exit code |
| `text` behind one of these | exactly what is printed; `…` stands for anything |
| `json`, `toml`, `yaml` | is well formed; written to a file like Python |
| `<!-- setup`, ends with `-->` | typed into a shell, and not shown to readers |

Law: a block in another language, or in none, is no block of a page: whoever writes one is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

RUN = ("sh", "python", "console", "setup")
PARSED = ("json", "toml", "yaml")
# Only shown: what is printed, and JavaScript, which the tests of the gateway run in Node and in a browser.
LISTED = ("text", "js")
# Directives of the site: no code.
DIRECTIVES = ("{toctree}", "{image}", "{include}", "{figure}")
_BLOCK = re.compile(
    r"^(?:```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```$|<!-- setup\n(?P<setup>.*?)^-->$)", re.MULTILINE | re.DOTALL
)
_FILE_NAME = re.compile(r"\A# ([\w./-]+\.\w+)\n")


class Block(NamedTuple):
    """One block: its language, its text, the line that it begins in, and what is printed (None: not said)."""

    language: str
    text: str
    line: int
    printed: str | None = None

    @property
    def file_name(self) -> str:
        """The file that it is written to; "" for none."""
        named = _FILE_NAME.match(self.text)
        return named[1] if named else ""


def blocks(page: str) -> list[Block]:
    """The blocks of a page, each with what stands directly below it as its output."""
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(page):
        language = match["language"] if match["language"] is not None else "setup"
        text = match["setup"] if match["language"] is None else match["text"]
        line = page.count("\n", 0, match.start()) + 1
        if language == "text" and found and not page[end : match.start()].strip():
            found[-1] = found[-1]._replace(printed=text)
        else:
            found.append(Block(language, text, line))
        end = match.end()
    return found


def matches(shown: str, written: str) -> bool:
    """What is shown stands for itself; `…` in it for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), written, flags=re.DOTALL) is not None


def commands(console: str) -> Iterator[tuple[str, int, list[str]]]:
    """Each command of a console block, what it exits with, and the lines that are shown of its output."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        first, *shown = part.rstrip("\n").split("\n")
        command, _, code = first.partition("  # exit ")
        yield command, int(code or 0), shown
