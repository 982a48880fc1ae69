"""Of two alternatives, the one that says more."""

from __future__ import annotations

import itertools

from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, better

FROM_LEAST_TO_MOST: list[Result] = [UNSAT, Unknown("nobody knows"), Sat(1, sure=False), Sat(2)]


def test_a_sure_value_is_better_than_a_guess_and_that_than_not_knowing_and_that_than_none() -> None:
    for (low, worse), (high, best) in itertools.product(enumerate(FROM_LEAST_TO_MOST), repeat=2):
        assert better(worse, best) is (best if high > low else worse)


def test_of_two_alike_the_first_stays() -> None:
    assert better(Sat(1), Sat(2)) == Sat(1)
    assert better(Unknown("first"), Unknown("second")) == Unknown("first")
