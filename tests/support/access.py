"""Users of a server under the rules of a role, and what they were refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from claude_comm import Settings
from claude_comm.effects import Command
from claude_comm.transport.driver import Client

NewUser: TypeAlias = Callable[..., Settings]


def denials(client: Client, settings: Settings) -> list[tuple[bytes, bytes]]:
    """What users of this test were refused: the command or key, and why."""
    rows = client.data.one(Command(("ACL", "LOG", 128)))
    mine = [row for row in rows if row[b"username"].decode().startswith(settings.namespace)]
    return [(row[b"object"], row[b"client-info"].rpartition(b" cmd=")[2].split()[0]) for row in mine]
