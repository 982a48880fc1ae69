"""Sets of Unicode code points, as sorted intervals.

Law: a set is a tuple of disjoint, ascending, non-adjacent `(low, high)` pairs, both ends included, so that equal sets
are equal tuples. The universe is every code point, surrogates included: JSON text can carry them alone, and a proof
must hold for them too. A readable member is preferred whenever one has to be shown to a person.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

import msgspec

LAST = 0x10FFFF
Chars: TypeAlias = tuple[tuple[int, int], ...]

ANY: Chars = ((0, LAST),)
# ECMA-262 §22.2.2.9: what `\d`, `\w` and `\s` stand for with the `u` flag and without `i`.
DIGIT: Chars = ((0x30, 0x39),)
WORD: Chars = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Chars = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
# Unicode's White_Space, which is what `\s` stands for in engines that follow Unicode instead.
WHITE_SPACE: Chars = (
    *((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
LINE_ENDS: Chars = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
SURROGATES: Chars = ((0xD800, 0xDFFF),)

# What a person reads with least effort comes first; a blank and the marks that JSON escapes come late.
_READABLE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:/@,;+*=#!?%&$~^|()<>[]{}' `\"\\"
_RANK = {ord(c): i for i, c in enumerate(_READABLE)}


def of(pairs: Iterable[tuple[int, int]]) -> Chars:
    """The set that holds every interval of `pairs`, in any order, overlapping or not."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def single(code: int) -> Chars:
    return ((code, code),)


def union(*sets: Chars) -> Chars:
    return of(pair for chars in sets for pair in chars)


def invert(chars: Chars) -> Chars:
    gaps, start = [], 0
    for low, high in chars:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def intersect(left: Chars, right: Chars) -> Chars:
    return invert(union(invert(left), invert(right)))


def contains(chars: Chars, code: int) -> bool:
    at = bisect_right(chars, (code, LAST))
    return at > 0 and chars[at - 1][1] >= code


def count(chars: Chars) -> int:
    return sum(high - low + 1 for low, high in chars)


def best(chars: Chars) -> int:
    """The member that a person reads most easily. `chars` must not be empty."""
    return next(spread(chars))


def spread(chars: Chars) -> Iterator[int]:
    """Every member once: the readable ones, then the ends of each interval, then the rest; surrogates last."""
    foremost = _foremost(chars)
    yield from foremost
    if len(foremost) < count(chars):
        named = set(foremost)
        for part in (intersect(chars, invert(SURROGATES)), intersect(chars, SURROGATES)):
            yield from (code for low, high in part for code in range(low, high + 1) if code not in named)


# A listing asks once a character of each member: of long members, millions of times about the same few sets.
@lru_cache(maxsize=1024)
def _foremost(chars: Chars) -> tuple[int, ...]:
    """The readable members, then the ends of each interval that is no surrogate."""
    readable = [code for code in _RANK if contains(chars, code)]
    intervals = intersect(chars, invert(SURROGATES))
    ends = dict.fromkeys(end for interval in intervals for end in interval if end not in _RANK)
    return (*readable, *ends)


def rank(code: int) -> int:
    """How late a character comes among the readable ones; the unreadable ones share the last place."""
    return _RANK.get(code, len(_RANK))


class Partition(msgspec.Struct, frozen=True):
    """The coarsest division of the universe that no set of a collection cuts: `cells`, the most readable first."""

    cells: tuple[Chars, ...]
    best: tuple[int, ...]
    starts: tuple[int, ...]
    owners: tuple[int, ...]

    def cell_of(self, code: int) -> int:
        return self.owners[bisect_right(self.starts, code) - 1]


@lru_cache(maxsize=512)
def partition(sets: frozenset[Chars]) -> Partition:
    """The minterms of `sets`: two characters share a cell when every set holds both or neither."""
    toggles: dict[int, int] = {0: 0}
    for bit, chars in enumerate(sorted(sets)):
        for low, high in chars:
            toggles[low] = toggles.get(low, 0) ^ (1 << bit)
            toggles[high + 1] = toggles.get(high + 1, 0) ^ (1 << bit)
    starts = sorted(start for start in toggles if start <= LAST)
    groups: dict[int, list[tuple[int, int]]] = {}
    masks, mask = [], 0
    for start, following in zip(starts, [*starts[1:], LAST + 1], strict=True):
        mask ^= toggles[start]
        masks.append(mask)
        groups.setdefault(mask, []).append((start, following - 1))
    cells = [(mask, of(pairs)) for mask, pairs in groups.items()]
    shown = {mask: best(chars) for mask, chars in cells}
    cells.sort(key=lambda entry: (rank(shown[entry[0]]), contains(SURROGATES, shown[entry[0]]), shown[entry[0]]))
    order = {mask: at for at, (mask, _) in enumerate(cells)}
    return Partition(
        tuple(chars for _, chars in cells),
        tuple(shown[mask] for mask, _ in cells),
        tuple(starts),
        tuple(order[mask] for mask in masks),
    )
