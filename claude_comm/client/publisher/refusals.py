"""Messages that a publisher refused to send, counted until an event says so.

Law: a program that sends the same broken message in a loop writes one event a second for each kind of message, with
their number, and none is left out: what was not told yet is told when the publisher closes.
"""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.delivery.burial import brief
from claude_comm.errors import AgreementBroken
from claude_comm.progress.events import Refused

TELL_EVERY_S = 1.0
# Kinds of messages (target, type) that are told apart.
_MOST_KINDS = 1_000


class Refusals:
    """What one publisher has refused; `most_text` is how long a reason may be (characters)."""

    def __init__(self, most_text: int) -> None:
        self._most_text = most_text
        # By target and type: how many were not told yet, and the last of them.
        self._pending: dict[tuple[str, str], tuple[int, AgreementBroken]] = {}
        self._told_s: dict[tuple[str, str], float] = {}

    def note(self, error: AgreementBroken) -> None:
        kind = (error.target, error.type)
        count, _ = self._pending.get(kind, (0, error))
        if count or len(self._pending) < _MOST_KINDS:
            self._pending[kind] = count + 1, error

    def due(self, now_s: float) -> Iterator[Refused]:
        """The events whose time it is; with `now_s` infinite, all."""
        for kind, (count, error) in list(self._pending.items()):
            if now_s - self._told_s.get(kind, -TELL_EVERY_S) >= TELL_EVERY_S:
                if len(self._told_s) >= _MOST_KINDS:
                    self._told_s.clear()
                self._told_s[kind] = now_s
                del self._pending[kind]
                reason, path = brief(error.sentence, self._most_text), brief(error.path, self._most_text)
                yield Refused(error.target, error.type, reason, path, count)
