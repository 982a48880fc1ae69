"""The messages that were stored last, remembered for one connection: what becomes of them is told soon after.

Law: what is remembered holds while no message was removed (`pruned` counts, and a session that is cleaned up forgets
all through it), and what a transaction added counts only once it was committed. A message's number is never given to
another, so that a message that another connection stored is looked up, and never taken for one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from claude_comm.store.statements import Writer

# Its number, session and target.
StoredMessage: TypeAlias = tuple[int, int, int]
# Its id, and the number of its source.
Identity: TypeAlias = tuple[str, int]

# Two generations of at most so many, each message some 300 bytes.
MOST = 40_000

_REMOVED = "SELECT messages FROM pruned"


class RecentMessages:
    """By id and source. The older generation goes when the younger is full."""

    def __init__(self) -> None:
        self._young: dict[Identity, StoredMessage] = {}
        self._old: dict[Identity, StoredMessage] = {}
        self._removed: int | None = None

    def refresh(self, writer: Writer) -> None:
        """Forgets all where messages were removed since the last time. Within the transaction that asks."""
        ((removed,),) = writer.execute(_REMOVED).fetchall()
        if removed != self._removed:
            self.forget()
            self._removed = removed

    def add(self, messages: Mapping[Identity, StoredMessage]) -> None:
        if len(self._young) + len(messages) > MOST:
            self._old, self._young = self._young, {}
        self._young.update(messages)

    def find(self, message: Identity) -> StoredMessage | None:
        return self._young.get(message) or self._old.get(message)

    def forget(self) -> None:
        """After a transaction that was undone."""
        self._young, self._old, self._removed = {}, {}, None
