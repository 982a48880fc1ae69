"""The terms of a publisher: what it agreed on, and what changed in the registry since it looked.

Law: a publisher looks at the stream of changes before it sends under an agreement, at most twice a second, and not
while it sends nothing. What concerns its agreements is negotiated again before the next message leaves. A registry that
does not answer changes nothing: the agreement that is held goes on.
"""

from __future__ import annotations

import time
from typing import Any

from claude_comm.effects import Operation
from claude_comm.errors import TransportError
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import changes
from claude_comm.registry.changes import RENEGOTIATED, RegistryChange

LOOK_EVERY_S = 0.4
# A follower that was away for longer than this takes everything for changed: the stream is short.
AWAY_S = 60.0
# How long one look may hold up a message, and for how long a registry that did not answer is left alone.
LOOK_WITHIN_MS, UNANSWERED_S = 1_000, 5.0


class Terms:
    """What one publisher negotiated, by (target, type), each with the shape that it declared."""

    def __init__(self, keys: Keys, source: str) -> None:
        self._keys, self._source = keys, source
        self._agreed: dict[tuple[str, str], Any] = {}
        self._position = ""
        self._looked_at = 0.0
        # When to look next; never, while nothing was agreed on.
        self.look_at = float("inf")

    def agree(self, target: str, type: str, shape: Any) -> None:
        """From now on, what happens to this target is looked at."""
        self._agreed[target, type] = shape
        if self.look_at == float("inf"):
            self.look_at = self._looked_at = time.monotonic()

    def shape(self, target: str, type: str) -> Any:
        return self._agreed[target, type]

    def marking(self) -> Operation[None]:
        """Notes where the changes end, before the first question is asked: none is missed after that."""
        if not self._position:
            self._position = yield from changes.position(self._keys)

    def looking(self) -> Operation[list[tuple[str, str, str]]]:
        """What to negotiate again: target, type, and because of what."""
        now = time.monotonic()
        away, self._looked_at = now - self._looked_at > AWAY_S, now
        self.look_at = now + LOOK_EVERY_S
        try:
            news = yield from changes.since(self._keys, self._position or changes.BEGINNING, within_ms=LOOK_WITHIN_MS)
        except TransportError:
            # It is not asked again for a while, and then for everything: what was published meanwhile did not wait.
            self.look_at, self._looked_at = time.monotonic() + UNANSWERED_S, float("-inf")
            return []
        self._position = news.position
        if away or not news.whole:
            return [(target, type, "everything may have changed") for target, type in self._agreed]
        due = {}
        for change in news.changes:
            for target, type in self._agreed:
                if self._approved(change, target, type) or (
                    change.kind in RENEGOTIATED and self._concerns(change, target)
                ):
                    due[target, type] = f"{change.module} {change.version} {change.kind}"
        return [(target, type, because) for (target, type), because in due.items()]

    def look_again(self) -> None:
        """What was due could not be asked: next time everything is."""
        self._looked_at = float("-inf")

    def _approved(self, change: RegistryChange, target: str, type: str) -> bool:
        """Whether this pair has come to an agreement: somebody may have approved an adapter after a refusal."""
        return change.kind == "agreed" and (change.partner, change.module, change.type) == (self._source, target, type)

    def _concerns(self, change: RegistryChange, target: str) -> bool:
        if target.startswith(TOPIC_PREFIX):
            return target.removeprefix(TOPIC_PREFIX) in change.topics or change.kind in ("retired", "forgotten")
        return change.module == target
