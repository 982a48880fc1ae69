"""The seal of what clients carry between the rounds of a question: nobody else can make or read one.

Law: all servers of a home seal with one key, kept in a file that only its user can read, so that any of them takes up
the next round.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

from claude_comm.errors import ConfigurationError
from claude_comm.runtime.home import private_folder
from claude_comm.settings import Settings

FILE = "mcp-request-state.key"
_KEY_BYTES = 32


def boundary(settings: Settings, audience: str) -> RequestStateBoundary:
    """The middleware that seals and opens. Raises ConfigurationError."""
    key = _key(settings.home / FILE)
    # A namespace is a world of its own: what one of them sealed is nothing to another.
    return RequestStateBoundary(
        RequestStateSecurity(keys=[key], audience=f"{audience}:{settings.namespace}"), default_audience=None
    )


def _key(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be used: {error.strerror}.") from None


def _make(path: Path) -> None:
    """Whole or not at all: another server may read it at once. The first of two that make it wins. Raises OSError."""
    part = private_folder(path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise ConfigurationError(f"{path} is no key of {_KEY_BYTES} bytes: remove it, and it is made anew.")
    return key
