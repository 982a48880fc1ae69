"""The stream of changes of the registry, and the histories of modules.

Law: on the control server. The stream is short: a follower that asks for what came after a position, and is given as
many as it asked for, may have missed some, and takes everything for changed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.effects import REPLY_WITHIN_MS, Command, Operation
from claude_comm.errors import ClaudeCommError
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.when_full import force_all
from claude_comm.registry import changes
from claude_comm.registry.changes import RegistryChange

MAX_CHANGES, MAX_HISTORY = 1_000, 10_000
BEGINNING = "0-0"
# More than that at a time, and whoever follows looks at everything.
PAGE = 500


class RegistryBusy(ClaudeCommError):
    """Others changed the same record again and again; `name` is that of a module, or of a pair."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the record of {name!r} is changed by others all the time: try again.")


class ChangePage(msgspec.Struct, frozen=True):
    """What changed after a position, and the position to go on from. `whole` is False where some may be missing."""

    changes: list[RegistryChange]
    position: str
    whole: bool = True


def position(keys: Keys) -> Operation[str]:
    """Where the stream ends now."""
    rows = yield Command(("XREVRANGE", keys.changes, "+", "-", "COUNT", 1), on="control")
    return (door.entry_id(rows[0][0]) or BEGINNING) if rows else BEGINNING


def since(keys: Keys, after: str, *, wait_ms: int = 0, within_ms: int = REPLY_WITHIN_MS) -> Operation[ChangePage]:
    """What came after a position; waits up to `wait_ms` for the first, and `within_ms` for the server beyond that."""
    block = ("BLOCK", wait_ms) if wait_ms else ()
    words = ("XREAD", "COUNT", PAGE, *block, "STREAMS", keys.changes, after)
    reply = yield Command(words, on="control", wait_ms=wait_ms, within_ms=within_ms)
    rows = next(iter(reply.values())) if reply else []
    last = (door.entry_id(rows[-1][0]) or after) if rows else after
    return ChangePage(_changes(rows), last, len(rows) < PAGE)


def history(keys: Keys, module: str, *, limit: int = 100) -> Operation[list[RegistryChange]]:
    """What changed at a module, the latest first."""
    rows = yield Command(("XREVRANGE", keys.history(module), "+", "-", "COUNT", limit), on="control")
    return _changes(rows)


def announce(keys: Keys, *announced: RegistryChange) -> Operation[None]:
    """Tells those who follow, and keeps it in the history of each change's module."""
    for change in announced:
        text = changes.encode(change)
        yield from force_all(
            Command(("XADD", keys.changes, "MAXLEN", "~", MAX_CHANGES, "*", "c", text), on="control"),
            Command(("XADD", keys.history(change.module), "MAXLEN", "~", MAX_HISTORY, "*", "c", text), on="control"),
        )


def _changes(rows: Any) -> list[RegistryChange]:
    decoded = (changes.decode(_field(fields)) for _id, fields in rows or [] if fields is not None)
    return [change for change in decoded if change is not None]


def _field(fields: list[bytes]) -> bytes | None:
    return dict(zip(fields[::2], fields[1::2], strict=False)).get(b"c")
