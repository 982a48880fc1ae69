"""One budget for many checks.

Law: what several checks take together is bounded by one number of milliseconds, as one check is; time is an argument.
Once it is used up no check is begun: making two large schemas ready takes a tenth of a second, before any proof.
"""

from __future__ import annotations

from collections.abc import Callable

from claude_comm.schema.verdict import Undecided, Verdict

_USED_UP = Undecided(place="", why="not looked at: the checks before it have used up the time for all of them.")


def within(budget_ms: float, clock: Callable[[], float] | None) -> Callable[[Callable[[float], Verdict]], Verdict]:
    """A function that asks for one verdict after another, each within what is left of `budget_ms`.

    `clock` gives seconds; without one each has the whole budget, in counted work.
    """
    if clock is None:
        return lambda ask: ask(budget_ms)
    end = clock() + budget_ms / 1_000

    def asked(ask: Callable[[float], Verdict]) -> Verdict:
        left_ms = (end - clock()) * 1_000
        return ask(left_ms) if left_ms > 0 else _USED_UP

    return asked
