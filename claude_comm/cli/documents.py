"""JSON files and files of JSON lines, as they are handed to commands.

Law: a file that cannot be read as JSON is a ConfigurationError that names the file and, where there is one, the line.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.schema.verdict import Json

# A configuration document of more than this is a mistake, such as a data file handed in by its name.
MAX_BYTES = 16 * 1024 * 1024


def read(name: str) -> Json:
    """The JSON value in this file, or on stdin for `-`."""
    return decode(_text(name), origin(name))


def read_text(name: str) -> str:
    """The text in this file. Raises ConfigurationError for one that is no UTF-8."""
    try:
        return _text(name).decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{origin(name)} is not UTF-8 text (byte {error.start}).") from None


def one_stdin(*names: str) -> None:
    """Refuses a second `-`: stdin can be read once."""
    if names.count("-") > 1:
        raise ConfigurationError(f"only one of the {len(names)} documents can be read from stdin.")


class JsonLine(NamedTuple):
    """One line of a file that is not empty. Numbers count from 1, empty lines as well."""

    number: int
    text: bytes
    origin: str

    def value(self) -> Json:
        """Its JSON value. Raises ConfigurationError with the number of the line."""
        origin = f"line {self.number} of {self.origin}"
        if len(self.text) > MAX_BYTES:
            raise ConfigurationError(f"{origin} is larger than {MAX_BYTES // 1024**2} MiB.")
        return decode(self.text, origin, self.number)


def lines(name: str) -> Iterator[JsonLine]:
    """The lines of this file, or of stdin for `-`, each as soon as it is there; of one over the limit only a part."""
    try:
        with _open(name) as file:
            for number in itertools.count(1):
                if not (text := file.readline(MAX_BYTES + 1)):
                    return
                if stripped := text.strip():
                    yield JsonLine(number, text if len(text) > MAX_BYTES else stripped, origin(name))
                while len(text) > MAX_BYTES and not text.endswith(b"\n"):
                    text = file.readline(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def origin(name: str) -> str:
    return "stdin" if name == "-" else name


def decode(text: bytes, origin: str, first_line: int = 1) -> Json:
    """The value, by RFC 8259 to the letter: no NaN, no trailing comma. Raises ConfigurationError.

    `first_line` is the number of the text's first line in what it was read from.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ConfigurationError(f"{origin} is nested too deep to be read.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _explain(text, origin, first_line, str(error))


def _explain(text: bytes, origin: str, first_line: int, otherwise: str) -> NoReturn:
    """Says where the text stops being JSON, in lines and columns; msgspec counts bytes."""
    if not text.strip():
        raise ConfigurationError(f"{origin} is empty; a JSON document is expected.")
    try:
        json.loads(text.decode("utf-8"), parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{origin} is not UTF-8 text (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        place = f"line {first_line + error.lineno - 1}, column {error.colno}"
        raise ConfigurationError(f"{origin} is not JSON: {error.msg} ({place}).") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{origin} is not JSON: {error}.") from None
    raise ConfigurationError(f"{origin} is not JSON: {otherwise}.")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _text(name: str) -> bytes:
    try:
        with _open(name) as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"{origin(name)} is larger than {MAX_BYTES // 1024**2} MiB.")
    return text


def _open(name: str) -> AbstractContextManager[BinaryIO]:
    if name != "-":
        return Path(name).open("rb")
    # The interpreter has no stdin where the shell closed it.
    return nullcontext(sys.stdin.buffer) if sys.stdin is not None else Path(os.devnull).open("rb")


def _unreadable(name: str, error: OSError | ValueError) -> ConfigurationError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigurationError(f"{origin(name)} cannot be read: {why}.")
