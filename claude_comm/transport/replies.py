"""How replies are read: hiredis parses them, and an error reply is a value, an `ErrorReply`, in its place.

Law: replies are what the server sent (RESP3), untouched. Whoever opened a connection, what comes in is read by a
reader from here, so an error looks the same however the server was reached.
"""

from __future__ import annotations

import re
from typing import Any

import hiredis

from claude_comm.errors import OLDEST_SERVER, TOO_OLD

# What `gets` returns while a reply is not there whole; no reply can be this object.
NOT_ENOUGH_DATA = object()

# Codes that say no more than the text behind them; any other stays a part of the text.
_SAID_BY_THE_TEXT = frozenset(
    "ERR OOM WRONGPASS EXECABORT LOADING NOSCRIPT READONLY NOAUTH NOPERM ASK TRYAGAIN MOVED CLUSTERDOWN CROSSSLOT "
    "MASTERDOWN".split()
)


class ErrorReply(Exception):
    """An error that the server sent."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0].rstrip(".")

    @property
    def text(self) -> str:
        code, _, rest = str(self).rstrip(".").partition(" ")
        return rest if code in _SAID_BY_THE_TEXT and rest else str(self).rstrip(".")


class Disconnected(Exception):
    """The connection ended, did not answer in time, or carried what is no reply."""


def check_version(greeting: Any) -> None:
    """Raises ErrorReply for the greeting of a server that is too old to serve; one that names no version is taken."""
    version = greeting.get(b"version", b"") if isinstance(greeting, dict) else b""
    numbers = [int(part) for part in re.findall(rb"\d+", version)[:2]]
    if numbers and tuple(numbers) < OLDEST_SERVER:
        raise ErrorReply(f"{TOO_OLD} {version.decode(errors='replace')}")


def reader() -> Any:
    return hiredis.Reader(protocolError=Disconnected, replyError=ErrorReply, notEnoughData=NOT_ENOUGH_DATA)
