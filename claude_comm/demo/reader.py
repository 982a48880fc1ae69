"""The first module of the demo: reads files and sends their text on."""

from __future__ import annotations

from pathlib import Path

from claude_comm.client.module.context import Context
from claude_comm.client.module.module import Module
from claude_comm.demo.corpus import path_of
from claude_comm.demo.shapes import EXTRACTOR, PAGE, READER, READING, SCAN, SENT, PageText, Scan

# Read of one file at most: with its path and counts well below the size limit of an envelope.
MAX_CHARACTERS = 200_000
_REPORT_EVERY = 10

module = Module(READER)
module.produces(PAGE, PageText, target=EXTRACTOR)


@module.handles(SCAN)
def scan(request: Scan, context: Context) -> None:
    """Reports every file, read or not; sends on only text."""
    readable = []
    for number, uri in enumerate(request.files, start=1):
        path = path_of(uri)
        if _reads(path, context):
            readable.append(path)
        if number % _REPORT_EVERY == 0 or number == len(request.files):
            context.progress(READING, number, len(request.files))
    # Read again rather than kept: a page says how many there are, and all of them may be more than fits into memory.
    for path in readable:
        text = path.read_text("utf-8", "replace")[:MAX_CHARACTERS]
        context.send(EXTRACTOR, PageText(_name(path), text, len(readable)), type=PAGE)
    context.progress(SENT, len(readable), len(readable))


def _reads(path: Path, context: Context) -> bool:
    try:
        raw = path.read_bytes()
        raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
        context.file("read", _name(path), "failed", reason=why)
        return False
    context.file("read", _name(path), size_bytes=len(raw))
    return True


def _name(path: Path) -> str:
    """The path as text that can be sent; what is no text in it as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()
