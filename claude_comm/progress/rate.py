"""How fast a task goes and when it will be done, from the reports on it.

Law: pure; time is an argument. The rate is that of the last reports, not of the whole, so that a task that has become
slower is not promised too early: an average in which a report counts half as much as one `HALF_LIFE_S` later.
"""

from __future__ import annotations

HALF_LIFE_S = 30.0


class Meter:
    """The reports on one task."""

    def __init__(self, started_us: int) -> None:
        self.started_us = started_us
        self.rate = 0.0
        self._completed: float | None = None
        self._at_us = started_us

    def report(self, completed: float, at_us: int) -> float:
        """Units a second, this report included; 0 while nobody knows. What goes back begins anew."""
        before, self._completed = self._completed, completed
        elapsed_s = (at_us - self._at_us) / 1e6
        if before is None or completed < before:
            self.rate, self.started_us, self._at_us = 0.0, at_us, at_us
        elif elapsed_s > 0:
            latest = (completed - before) / elapsed_s
            kept = 0.5 ** (elapsed_s / HALF_LIFE_S) if self.rate else 0.0
            self.rate = kept * self.rate + (1 - kept) * latest
            self._at_us = at_us
        else:
            self._completed = before
        return self.rate


def eta_s(completed: float, total: float, rate: float) -> float | None:
    """How long the rest takes at this rate; None where nobody knows."""
    if rate <= 0 or total <= 0:
        return None
    return max(total - completed, 0.0) / rate
