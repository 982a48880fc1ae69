"""JSON files, as they are handed to commands.

Law: a file that cannot be read as JSON is a ConfigurationError that names the file and, where there is one, the line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from claude_comm.documents import form
from claude_comm.errors import ConfigurationError
from claude_comm.pipeline.faults import faults
from claude_comm.schema.verdict import Json

# A configuration document of more than this is a mistake, such as a data file handed in by its name.
MAX_BYTES = 16 * 1024 * 1024


def read(name: str) -> Json:
    """The JSON value in this file, or on stdin for `-`."""
    return decode(_text(name), origin(name))


def read_schema(name: str) -> Json:
    """The JSON Schema in this file. Raises InvalidDocument with every fault of one that cannot be used."""
    schema = read(name)
    if found := faults(schema, ()):
        form.raise_invalid(origin(name), found)
    return schema


def origin(name: str) -> str:
    return "stdin" if name == "-" else name


def decode(text: bytes, origin: str) -> Json:
    """The value, by RFC 8259 to the letter: no NaN, no trailing comma. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ConfigurationError(f"{origin} is nested too deep to be read.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _explain(text, origin, str(error))


def _explain(text: bytes, origin: str, otherwise: str) -> NoReturn:
    """Says where the text stops being JSON, in lines and columns; msgspec counts bytes."""
    if not text.strip():
        raise ConfigurationError(f"{origin} is empty; a JSON document is expected.")
    try:
        json.loads(text.decode("utf-8"), parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{origin} is not UTF-8 text (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"{origin} is not JSON: {error.msg} ({place}).") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{origin} is not JSON: {error}.") from None
    raise ConfigurationError(f"{origin} is not JSON: {otherwise}.")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _text(name: str) -> bytes:
    try:
        if name == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(f"{origin(name)} cannot be read: {why}.") from None
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"{origin(name)} is larger than {MAX_BYTES // 1024**2} MiB.")
    return text
