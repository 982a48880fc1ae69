"""Terminal output: data to stdout, messages to stderr; tables for people, aligned text or JSON for programs.

Law: nothing that came from a message, a file or a server reaches a terminal with a character that could steer it.
JSON keeps such characters as escapes, so nothing is lost there; text shows them as escapes too.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from typing import Any, TextIO

from claude_comm.errors import ClaudeCommError
from claude_comm.escaping import UNSAFE, clean, json_escape
from claude_comm.terminal.styles import style_of
from claude_comm.terminal.tables import Column, Columns, table

# The same without what JSON's own writer escapes already, and without the line ends that it lays out with.
_UNSAFE_IN_JSON = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "", 1))

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


def emit_table(columns: Columns, rows: Iterable[Sequence[object]]) -> None:
    """A table: fitted to a terminal, without columns that are empty or for which there is no room; in a pipe aligned
    columns, all of them and whole."""
    layout = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [[clean(cell) for cell in row] for row in rows]
    if on_terminal():
        width = terminal_width()
        _rich_print(table(layout, cells, width), width)
        return
    names = [column.name for column in layout]
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]
    for row in [names, *cells]:
        padded = (
            text.rjust(width) if column.kind == "number" else text.ljust(width)
            for column, text, width in zip(layout, row, widths, strict=True)
        )
        emit("  ".join(padded).rstrip())


def emit_pair(name: str, value: str, name_characters: int) -> None:
    """A name and its value; what is wider than a terminal goes on below the value."""
    lines = [clean(value)]
    if on_terminal():
        lines = _wrapped(lines[0], terminal_width() - name_characters - 2)
    for label, line in zip([name, *[""] * len(lines)], lines, strict=False):
        emit(f"{label.ljust(name_characters)}  {line}".rstrip())


def emit_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one pair per line; a value of several lines is indented below its name. A list is written with
    commas, and on a terminal goes on below where it is too long."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        first, *more = _lines(value, terminal_width() - width - 2 if on_terminal() else None)
        style = style_of(name, first)
        for label, line in ((name, first), *(("", line) for line in more)):
            emit_styled(f"{label.ljust(width)}  {clean(line)}".rstrip(), style)


def _lines(value: object, room: int | None) -> list[str]:
    if not isinstance(value, list):
        return str(value).splitlines() or [""]
    whole = ", ".join(map(str, value))
    return [whole] if room is None else _wrapped(whole, room)


def _wrapped(text: str, room: int) -> list[str]:
    """In lines that break between words alone: names have hyphens."""
    return textwrap.wrap(text, max(room, 20), break_on_hyphens=False) or [text]


def on_terminal() -> bool:
    """Whether a person reads the data."""
    return sys.stdout.isatty()


def terminal_width() -> int:
    """Columns of the terminal; as COLUMNS says, where it is set."""
    return shutil.get_terminal_size().columns


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


def _rich_print(shown: Any, width: int | None = None) -> None:
    from rich.console import Console

    Console(highlight=False, width=width).print(shown)


def _safe_json(text: bytes) -> str:
    return _UNSAFE_IN_JSON.sub(json_escape, text.decode())
