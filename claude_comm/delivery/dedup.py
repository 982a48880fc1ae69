"""Copies of messages: which were handled lately, and which are being handled.

Law: pure, and bounded. A message is its source and its id; only one that was handled makes a later one a copy. What
failed, was buried or given back may come again.

A window holds a message as one text, its `mark`. As a pair of texts each of thousands would be looked at by the
collector of cycles, again and again: that cost more than all else that a window does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

Identity: TypeAlias = tuple[str, str]
# A message as a window holds it.
Mark: TypeAlias = str
Standing: TypeAlias = Literal["new", "open", "copy"]


# Of a large window an eighth is forgotten at once: a dict that is emptied from its front is searched from there.
_SLACK = 8


class Window:
    """The last `size` messages handled and up to an eighth more, the longest ago first, and those that are out. One
    thread may ask while others report: each step is one operation on a dict or a set."""

    def __init__(self, size: int) -> None:
        self._size, self._most = size, size + size // _SLACK
        self._handled: dict[Mark, None] = {}
        self._open: set[Mark] = set()

    def standing(self, mark: Mark) -> Standing:
        """Whether this one may be handled; from "new" on it is open, until `handled` or `released`."""
        # In this order: who handles it enters it below before it stops being open.
        if mark in self._open:
            return "open"
        if mark in self._handled:
            return "copy"
        self._open.add(mark)
        return "new"

    def all_new(self, marks: Collection[Mark]) -> bool:
        """Whether all of these may be handled, and no two are the same: then all are open. Else nothing has changed."""
        new = set(marks)
        # In the order of `standing`.
        if len(new) < len(marks) or not self._open.isdisjoint(new) or not self._handled.keys().isdisjoint(new):
            return False
        self._open.update(new)
        return True

    def is_open(self, mark: Mark) -> bool:
        return mark in self._open

    def handled(self, mark: Mark) -> None:
        self._handled[mark] = None
        self._open.discard(mark)
        if len(self._handled) > self._most:
            self._forget()

    def _forget(self) -> None:
        # A copy, made in one step: other threads may report, forget or take back meanwhile.
        remembered = list(self._handled)
        for mark in remembered[: max(0, len(remembered) - self._size)]:
            self._handled.pop(mark, None)

    def undone(self, mark: Mark) -> None:
        """It was reported as handled, and was not."""
        self._handled.pop(mark, None)

    def released(self, mark: Mark) -> None:
        self._open.discard(mark)


def mark_of(source: str, id_: str) -> Mark:
    """The message in a window. No name of a module has a space, so no two messages have the same."""
    return f"{source} {id_}"


def member(identity: Identity) -> str:
    """The message as a member of the module's set on the server; no two messages have the same."""
    source, id_ = identity
    return f"{len(source)}:{source}{id_}"
