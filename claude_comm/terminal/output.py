"""Terminal output: data to stdout, messages to stderr; tables for people, aligned text or JSON for programs.

Law: nothing that came from a message, a file or a server reaches a terminal with a character that could steer it.
JSON keeps such characters as escapes, so nothing is lost there; text shows them as escapes too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from typing import Any, Literal, TextIO

from claude_comm.errors import ClaudeCommError
from claude_comm.escaping import UNSAFE, clean, json_escape

# The same without what JSON's own writer escapes already, and without the line ends that it lays out with.
_UNSAFE_IN_JSON = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "", 1))

# What stands out, on a light terminal as on a dark one: what failed, and what is not decided yet.
FAILED, OPEN, GOOD = "bold red", "bold magenta", "bold green"
_OUTCOMES = {
    **dict.fromkeys(("failed", "buried", "incompatible", "impossible", "unreadable", "not running"), FAILED),
    **dict.fromkeys(("retrying", "undecided"), OPEN),
}

# File descriptors whose reader has left.
_gone: set[int] = set()


class OutputFailed(ClaudeCommError):
    """The data could not be written: a full disk, say."""


def prepare() -> None:
    """Makes a stream escape the characters that it cannot encode, and replaces closed streams by the null device."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  (as long as the process)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(words: str) -> None:
    """A message about the run, to stderr; line ends and indentation stay."""
    _write(sys.stderr, "\n".join(clean(line) for line in words.splitlines()) + "\n")


def say_error(error: object) -> None:
    """What went wrong, to stderr; the word in red where a person reads it and has not asked for none (NO_COLOR)."""
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    first, *more = str(error).splitlines() or [""]
    word = "\x1b[1;31mError:\x1b[0m" if colours else "Error:"
    _write(sys.stderr, "\n".join([f"{word} {clean(first)}", *map(clean, more)]) + "\n")


def emit(line: str) -> None:
    """One line of data, already clean."""
    _write(sys.stdout, line + "\n")


def emit_json(value: Any, *, lines: bool = False) -> None:
    """One JSON value: indented, or on one line of a stream of them."""
    import msgspec  # 20 ms that `--help` does not have to spend

    body = msgspec.json.encode(value)
    emit(_safe_json(body if lines else msgspec.json.format(body, indent=2)))


def emit_document(value: Any) -> None:
    """One JSON value: in colours on a terminal, else as `emit_json` writes it."""
    if not on_terminal():
        emit_json(value)
        return
    import msgspec
    from rich.highlighter import JSONHighlighter

    text = _safe_json(msgspec.json.format(msgspec.json.encode(value), indent=2))
    _rich_print(JSONHighlighter()(text))


def emit_styled(line: str, style: str) -> None:
    """One line of data that is clean already, in a style (`bold red`) where a person reads it on a terminal."""
    if not style or not on_terminal():
        emit(line)
        return
    from rich.text import Text

    _rich_print(Text(line, style))


def emit_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """A table: ruled on a terminal, without columns that are empty; aligned columns in a pipe.

    `right` names the columns that hold numbers, `whole` those that a narrow terminal does not break into lines.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    if on_terminal():
        _rich_table(columns, cells, right, whole)
        return
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    for row in [list(columns), *cells]:
        padded = (
            text.rjust(width) if name in right else text.ljust(width)
            for name, text, width in zip(columns, row, widths, strict=True)
        )
        emit("  ".join(padded).rstrip())


def emit_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one pair per line; a value of several lines is indented below its name."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        first, *more = str(value).splitlines() or [""]
        style = style_of(name, first)
        for label, line in ((name, first), *(("", line) for line in more)):
            emit_styled(f"{label.ljust(width)}  {clean(line)}".rstrip(), style)


def style_of(name: str, value: str) -> str:
    """How a value of this name is shown to a person: an outcome by what it is, the reason of a failure like one."""
    if name in ("status", "verdict", "state"):
        return _OUTCOMES.get(value, "")
    return "red" if name in ("reason", "refused because") else ""


def on_terminal() -> bool:
    """Whether a person reads the data."""
    return sys.stdout.isatty()


def reader_gone() -> bool:
    """Whether the reader of our data has closed the pipe, as `head` does: an endless command ends then."""
    return 1 in _gone


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # As a well-behaved tool in a pipe: no word about it, and the exit code stays the command's answer.
        _gone.add(stream.fileno())
        silence(stream)
    except OSError as error:
        silence(stream)
        raise OutputFailed(f"the output cannot be written: {error.strerror}.") from None


def silence(stream: TextIO) -> None:
    """Discards what is left in the stream's buffer, so that the interpreter does not write it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _rich_table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[str], whole: Sequence[str]
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    used = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    for name in (columns[at] for at in used):
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in whole or name in right)
    for row in cells:
        table.add_row(*(Text(row[at], style_of(columns[at], row[at])) for at in used))
    _rich_print(table)


def _rich_print(shown: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(shown)


def _safe_json(text: bytes) -> str:
    return _UNSAFE_IN_JSON.sub(json_escape, text.decode())
