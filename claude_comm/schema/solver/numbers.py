"""Numbers: bounds, multiples and exceptions, in exact arithmetic.

Law: all numbers are fractions; what a float means is the decimal that it prints as. The multiples of several numbers
are those of their least common multiple. Which of these are multiples of further numbers repeats with the least common
multiple of all of them, so one period decides for all but single exceptions. Between two different bounds without a
multiple there are more numbers than any finite or periodic exception takes away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from claude_comm.schema.formula import nodes
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat
from claude_comm.schema.values import Unwritable, pointed, written

# Steps of one period that are looked at; and digits of a number that is still computed with.
MAX_PERIOD = 20_000
MAX_BITS = 6_000


class NumberSolver:
    """The numbers that satisfy all literals."""

    def __init__(self, tick: Callable[[], None], literals: Iterable[nodes.Lit]) -> None:
        self.tick = tick
        self.low: nodes.LowerBound | None = None
        self.high: nodes.UpperBound | None = None
        self.step: Fraction | None = None
        self.never: list[Fraction] = []
        self.without: set[Fraction] = set()
        self.lexical: set[bool] = set()
        for literal in literals:
            self.add(literal.atom)

    def add(self, atom: nodes.Atom) -> None:
        match atom:
            case nodes.LowerBound(bound=bound, open=is_open):
                if self.low is None or (bound, is_open) > (self.low.bound, self.low.open):
                    self.low = atom
            case nodes.UpperBound(bound=bound, open=is_open):
                if self.high is None or (bound, not is_open) < (self.high.bound, not self.high.open):
                    self.high = atom
            case nodes.Multiple(of=of, holds=True):
                self.step = of if self.step is None else lcm(self.step, of)
            case nodes.Multiple(of=of):
                self.never.append(of)
            case nodes.NumberEnum(values=values, holds=False):
                self.without |= values
            case nodes.Lexical(holds=holds):
                self.lexical.add(holds)

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more leaves no number."""
        wider = NumberSolver(self.tick, ())
        wider.low, wider.high, wider.step = self.low, self.high, self.step
        wider.never, wider.without, wider.lexical = [*self.never], {*self.without}, {*self.lexical}
        match literal.atom:
            case nodes.NumberEnum(values=values, holds=True):
                return not any(self.admits(value) for value in values)
        wider.add(literal.atom)
        return isinstance(wider.solve(), Unsat)

    def admits(self, number: Fraction) -> bool:
        return self._fits(number) and number not in self.without

    def _fits(self, number: Fraction) -> bool:
        """Whether it would be admitted if there were no single exceptions."""
        low, high = self.low, self.high
        return (
            (low is None or number > low.bound or (number == low.bound and not low.open))
            and (high is None or number < high.bound or (number == high.bound and not high.open))
            and (self.step is None or (number / self.step).denominator == 1)
            and all((number / excluded).denominator != 1 for excluded in self.never)
            # An integer that draft 4 wants, or that it must not be, can always be written the one way or the other.
            and not (True in self.lexical and number.denominator != 1)
        )

    def solve(self) -> Result:
        """A number that satisfies all literals, the plainest first."""
        if self.lexical == {True, False}:
            return UNSAT
        if True in self.lexical:
            self.step = Fraction(1) if self.step is None else lcm(self.step, Fraction(1))
        if self.step is not None and self.step.numerator.bit_length() + self.step.denominator.bit_length() > MAX_BITS:
            return Unknown("a least common multiple with too many digits", "multipleOf")
        if self.low is not None and self.high is not None:
            if self.low.bound > self.high.bound:
                return UNSAT
            if self.low.bound == self.high.bound:
                return self._first([self.low.bound], UNSAT)
        if self.step is None:
            return self._first(self._dense(), Unknown("a number that no float prints exactly", "multipleOf"))
        return self._multiples(self.step)

    def _first(self, numbers: Iterable[Fraction], otherwise: Result) -> Result:
        for number in numbers:
            self.tick()
            if self.admits(number):
                try:
                    return Sat(self._written(number))
                except Unwritable:
                    otherwise = Unknown("a number that no float prints exactly", "multipleOf")
        return otherwise

    def _written(self, number: Fraction) -> int | float:
        plain = written(number)
        if False in self.lexical and isinstance(plain, int):
            near = pointed(plain)
            if near is None:
                raise Unwritable
            return near
        return plain

    def _dense(self) -> Iterator[Fraction]:
        """Numbers of the interval, plain ones first, and then ever finer ones."""
        low = self.low.bound if self.low else None
        high = self.high.bound if self.high else None
        yield from (Fraction(n) for n in (0, 1, -1))
        yield from (Fraction(n, 2) for n in (1, -1))
        near = [bound for bound in (low, high) if bound is not None] or [Fraction(0)]
        for bound in near:
            yield bound
            yield from (Fraction(round(bound)) + n for n in (1, -1, 2, -2))
        for places in range(1, 18):
            unit = Fraction(1, 10**places)
            for bound in near:
                start = Fraction(math.floor(bound / unit)) * unit
                yield from (start + unit * n for n in (-1, 1, 2, 3, -2))
            yield from (unit * n for n in (1, 3, 7, -1, -3, -7))
            if low is not None and high is not None:
                middle = (low + high) / 2
                yield Fraction(math.floor(middle / unit)) * unit

    def _multiples(self, step: Fraction) -> Result:
        if any((step / excluded).denominator == 1 for excluded in self.never):
            return UNSAT
        period = step
        for excluded in self.never:
            period = lcm(period, excluded)
            if period.numerator.bit_length() > MAX_BITS:
                return Unknown("a least common multiple with too many digits", "multipleOf")
        length = period / step
        first = math.ceil(self.low.bound / step) if self.low else None
        last = math.floor(self.high.bound / step) if self.high else None
        # If any fits, so does one of each period. An exception that fits takes one away, and so does an open bound.
        taken = sum(map(self._fits, self.without)) if self.never else len(self.without)
        enough: Fraction = length * (taken + 1) + 1
        if first is not None and last is not None:
            enough = min(enough, Fraction(max(0, last - first + 1)))
        bounded = enough <= MAX_PERIOD
        otherwise: Result = (
            UNSAT if bounded else Unknown("multiples that repeat only after a very long period", "multipleOf")
        )
        count = math.floor(enough) if bounded else MAX_PERIOD
        return self._first((n * step for n in _along(first, last, count)), otherwise)


def _along(first: int | None, last: int | None, count: int) -> Iterator[int]:
    """`count` whole numbers in the range, from zero outwards where it lies inside, else from the nearest bound."""
    if first is not None and (first >= 0 or last is not None):
        # Also where both bounds are given: then the range is taken from below, without a gap.
        yield from range(first, first + count)
    elif last is not None and first is None:
        start = min(last, 0)
        yield from range(start, start - count, -1)
        yield from range(start + 1, min(last, start + count) + 1)
    elif first is not None:
        yield from range(0, count)
        yield from range(-1, max(first, -count) - 1, -1)
    else:
        yield from range(0, count)


def lcm(left: Fraction, right: Fraction) -> Fraction:
    """The least positive number that is a whole multiple of both."""
    return Fraction(math.lcm(left.numerator, right.numerator), math.gcd(left.denominator, right.denominator))
