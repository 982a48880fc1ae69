"""The signed keyring on the server: read, and replaced.

Law: what stands there is bytes; `security.keyring` says what of it may be believed.
"""

from __future__ import annotations

from claude_comm.effects import Command, Operation, Script
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.security.keyring import SIGNED_BYTES


def read(keys: Keys) -> Operation[bytes | None]:
    """The document; None where there is none, or something of another type."""
    return (yield from _text(Command(("GET", keys.keyring), on="control")))


def mark(keys: Keys) -> Operation[bytes]:
    """The beginning of the document, with its signature: while that is the same, so is the rest."""
    beginning = yield from _text(Command(("GETRANGE", keys.keyring, 0, SIGNED_BYTES - 1), on="control"))
    return beginning or b""


def replace(keys: Keys, before: bytes | None, after: bytes) -> Operation[bool]:
    """Stores a new document in the place of the one that it was made from; False where that is not there any more."""
    stored = yield Script("keyring", (keys.keyring,), (before or b"", after), on="control")
    return bool(stored)


def _text(command: Command) -> Operation[bytes | None]:
    try:
        reply = yield command
    except ServerRefused as refusal:
        if refusal.code != "WRONGTYPE":
            raise
        return None
    return reply if isinstance(reply, bytes) else None
