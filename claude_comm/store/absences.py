"""Who was absent when the registry was last asked.

Law: whose end is told while it may live was absent at two looks in a row. A server that has just lost its memory knows
nobody until those who live have told again, which takes them one heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable


class Absences:
    """Those of one reader of the registry, whose looks are further apart than heartbeats."""

    def __init__(self) -> None:
        self._before: frozenset[str] = frozenset()

    def again(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names, all that are absent now, that were absent at the look before as well."""
        before, self._before = self._before, frozenset(names)
        return self._before & before
