"""The MESSAGE argument of `send` and `request`: JSON or text, from the command line or from stdin."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import msgspec

from claude_comm.errors import ConfigurationError

# No text that a person types as text begins so: what is not JSON then has a typing error.
_BEGINS_LIKE_JSON = ("{", "[", '"')


def payload(text: str) -> Any:
    """The value that this text is as JSON, or the text itself. Raises ConfigurationError for JSON with an error."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        if text.lstrip().startswith(_BEGINS_LIKE_JSON):
            raise ConfigurationError(f"{_error_of(text)} To send it as text, write it as a JSON string.") from None
        return text


def _error_of(text: str) -> str:
    """Where a text that begins like JSON stops being it, in columns; msgspec counts bytes."""
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return f"MESSAGE begins like JSON and is not: {error.msg} (column {error.colno})."
    except (ValueError, RecursionError) as error:
        return f"MESSAGE begins like JSON and is not: {error}."
    return "MESSAGE cannot be read as JSON."


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def message_text(message: str) -> str:
    """The argument itself, or the content of stdin for `-`."""
    if message != "-":
        return message
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"stdin is not UTF-8 text (byte {error.start}).") from None
