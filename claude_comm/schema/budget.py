"""How long a proof may take, without a clock of its own.

Law: work is counted in steps; a clock, where the caller hands one in, is read every few of them. When the budget is
used up, `OutOfBudget` ends the proof, which then is undecided. With steps alone the same question has the same answer
on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# Steps are not alike: on a machine of 2025 one took 5 to 50 microseconds. 40 a millisecond keeps the median honest.
STEPS_PER_MS = 40
# A clock costs about a twentieth of a step, but the longest step is some milliseconds.
STEPS_PER_LOOK = 8


class OutOfBudget(Exception):
    """The budget is used up. It never leaves the engine."""


class Budget:
    """Counts down. `clock` answers in seconds, from any origin, and never goes back."""

    __slots__ = ("_clock", "_end", "_steps")

    def __init__(self, budget_ms: float, clock: Callable[[], float] | None = None) -> None:
        self._steps = int(budget_ms * STEPS_PER_MS)
        self._clock = clock
        self._end = clock() + budget_ms / 1000 if clock is not None else 0.0

    def tick(self) -> None:
        """One step of work; raises `OutOfBudget`."""
        self._steps -= 1
        if self._clock is None:
            if self._steps < 0:
                raise OutOfBudget
        elif self._steps % STEPS_PER_LOOK == 0:
            self.look()

    def keeping(self, share: float) -> Keeping:
        """Ends the block early, so that this share of what is left now is there after it; raises `OutOfBudget`."""
        return Keeping(self, share)

    def _take(self, share: float) -> Taken:
        now = self._clock() if self._clock is not None else 0.0
        if now > self._end:
            raise OutOfBudget
        steps, seconds = int(self._steps * share), (self._end - now) * share
        self._steps, self._end = self._steps - steps, self._end - seconds
        return steps, seconds

    def _give_back(self, taken: Taken) -> None:
        steps, seconds = taken
        self._steps, self._end = max(self._steps, 0) + int(steps), self._end + seconds

    def look(self) -> None:
        """Reads the clock between two long pieces of work that are not steps of a proof; raises `OutOfBudget`."""
        if self._clock is not None and self._clock() > self._end:
            raise OutOfBudget


class Keeping:
    """The block of `Budget.keeping`: by hand, at a third of the cost of a generator."""

    __slots__ = ("_budget", "_share", "_taken")

    def __init__(self, budget: Budget, share: float) -> None:
        self._budget, self._share = budget, share

    def __enter__(self) -> None:
        self._taken = self._budget._take(self._share)

    def __exit__(self, *_: object) -> None:
        self._budget._give_back(self._taken)


# Steps and seconds; of a part of a budget its steps, before those of that budget.
Taken: TypeAlias = tuple[float, ...]


class OutOfPart(Exception):
    """A part of a budget is used up. It never leaves the engine."""


class BudgetShare(Budget):
    """The next `steps` of a budget, for an attempt that may be given up."""

    __slots__ = ("_whole",)

    def __init__(self, whole: Budget, steps: int) -> None:
        self._whole, self._steps = whole, steps

    def _take(self, share: float) -> Taken:
        of_whole, steps = self._whole._take(share), int(self._steps * share)
        self._steps -= steps
        return steps, *of_whole

    def _give_back(self, taken: Taken) -> None:
        self._steps = max(self._steps, 0) + int(taken[0])
        self._whole._give_back(taken[1:])

    def tick(self) -> None:
        """One step of work, of both; raises `OutOfPart` or `OutOfBudget`."""
        self._steps -= 1
        if self._steps < 0:
            raise OutOfPart
        self._whole.tick()

    def look(self) -> None:
        self._whole.look()
