"""The door for what others may have written on the server: names, numbers, moments, ids and hashes.

Law: total. Whatever bytes stand there, each function returns a value; what cannot be read is None or is left out, and
whoever reports it has its key. An operation reads the fields of shared keys through this file and in no other way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from claude_comm.errors import ServerRefused, TransportError

_ENTRY_ID = re.compile(rb"[0-9]{1,20}-[0-9]{1,20}")
_NUMBER = re.compile(rb"[0-9]{1,15}")
# Milliseconds since the epoch: three hundred thousand years, which every clock and every column can hold.
_LATEST_MS = 10**16


def name(text: bytes) -> str:
    """A name as text; bytes that are none as escapes, so that no two names become one."""
    return text.decode("utf-8", "backslashreplace")


def number(text: object) -> int | None:
    """A count or a limit, in digits."""
    return int(text) if isinstance(text, bytes) and _NUMBER.fullmatch(text) else None


def moment(score: object) -> int | None:
    """The score of a sorted set as milliseconds since the epoch; None for one that is no moment, such as `inf`."""
    try:
        value = float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return int(value) if math.isfinite(value) and abs(value) < _LATEST_MS else None


def entry_id(text: object) -> str | None:
    """The id of an entry of a stream."""
    return text.decode() if isinstance(text, bytes) and _ENTRY_ID.fullmatch(text) else None


def fields(reply: object) -> Mapping[bytes, bytes]:
    """A hash; empty where the key holds something else. Raises any other error of the server."""
    if isinstance(reply, ServerRefused) and reply.code == "WRONGTYPE":
        return {}
    if isinstance(reply, TransportError):
        raise reply
    return reply if isinstance(reply, dict) else {}


def consumer(facts: Any) -> tuple[str, int]:
    """A consumer as `XINFO CONSUMERS` has it: its name, and for how long (ms) it asked for nothing."""
    by_name = facts if isinstance(facts, dict) else dict(zip(facts[::2], facts[1::2], strict=True))
    return name(by_name[b"name"]), int(by_name[b"idle"])


def scored(reply: Any) -> list[tuple[str, int]]:
    """The members of a sorted set and when each was written (ms)."""
    moments = ((name(member), moment(score)) for member, score in pairs(reply))
    return [(member, at) for member, at in moments if at is not None]


def pairs(reply: Any) -> list[tuple[bytes, object]]:
    """The members of a sorted set with their scores: pairs in RESP3, one flat list in RESP2."""
    if not reply or isinstance(reply[0], list):
        return [(member, score) for member, score in reply]
    return list(zip(reply[::2], reply[1::2], strict=True))
