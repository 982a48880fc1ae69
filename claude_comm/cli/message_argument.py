"""The MESSAGE argument of `send` and `request`: JSON or text, from the command line or from stdin."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from claude_comm.errors import ConfigurationError


def payload(text: str) -> Any:
    """The value that this text is as JSON, or the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def message_text(message: str) -> str:
    """The argument itself, or the content of stdin for `-`."""
    if message != "-":
        return message
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"stdin is not UTF-8 text (byte {error.start}).") from None
