"""The inputs of a run, one JSON value per line, and what tells one file of them from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claude_comm.cli import documents
from claude_comm.client.pipeline.run import UnreadableInput
from claude_comm.errors import ConfigurationError


def values(name: str) -> Iterator[Any]:
    """Each line's value; a line that is no JSON fails alone."""
    for line in documents.lines(name):
        try:
            yield line.value()
        except ConfigurationError as error:
            yield UnreadableInput(str(error))


def digest(name: str) -> str:
    """Of the file; empty for stdin, which can be read once. Raises ConfigurationError."""
    if name == "-":
        return ""
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}.") from None


def count(name: str) -> int | None:
    """How many there are; None for stdin."""
    return None if name == "-" else sum(1 for _ in documents.lines(name))
