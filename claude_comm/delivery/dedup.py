"""Copies of messages: which were handled lately, and which are being handled.

Law: pure, and bounded. A message is its source and its id; only one that was handled makes a later one a copy. What
failed, was buried or given back may come again.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Identity: TypeAlias = tuple[str, str]
Standing: TypeAlias = Literal["new", "open", "copy"]


class Window:
    """The last `size` messages handled, the longest ago first, and those that are out. One thread may ask while
    others report: each step is one operation on a dict or a set."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._handled: dict[Identity, None] = {}
        self._open: set[Identity] = set()

    def standing(self, identity: Identity) -> Standing:
        """Whether this one may be handled; from "new" on it is open, until `handled` or `released`."""
        # In this order: who handles it enters it below before it stops being open.
        if identity in self._open:
            return "open"
        if identity in self._handled:
            return "copy"
        self._open.add(identity)
        return "new"

    def is_open(self, identity: Identity) -> bool:
        return identity in self._open

    def handled(self, identity: Identity) -> None:
        self._handled[identity] = None
        self._open.discard(identity)
        while len(self._handled) > self._size:
            self._handled.pop(next(iter(self._handled)), None)

    def undone(self, identity: Identity) -> None:
        """It was reported as handled, and was not."""
        self._handled.pop(identity, None)

    def released(self, identity: Identity) -> None:
        self._open.discard(identity)


def member(identity: Identity) -> str:
    """The message as a member of the module's set on the server; no two messages have the same."""
    source, id_ = identity
    return f"{len(source)}:{source}{id_}"
