"""Sets of code points are sets, whatever is done with them."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from claude_comm.schema.regex import categories, charset

PAIRS = st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))
SETS = st.lists(PAIRS, max_size=5)


def members(chars: charset.Chars) -> set[int]:
    return {code for low, high in chars for code in range(low, min(high, 80) + 1)}


@given(SETS, SETS)
def test_operations_are_those_of_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    """Union, intersection and complement, and equal sets are equal tuples."""
    one, other = charset.of(left), charset.of(right)
    assert members(charset.union(one, other)) == members(one) | members(other)
    assert members(charset.intersect(one, other)) == members(one) & members(other)
    assert members(charset.invert(one)) == set(range(81)) - members(one)
    assert charset.invert(charset.invert(one)) == one
    assert (one == other) == (members(one) == members(other))
    assert all(charset.contains(one, code) == (code in members(one)) for code in range(80))
    assert charset.count(one) == len(members(one))
    assert set(charset.spread(one)) == members(one)


@given(st.lists(SETS, max_size=4))
def test_no_set_cuts_a_cell_of_their_partition(sets: list[list[tuple[int, int]]]) -> None:
    """The cells cover everything once, lie inside or outside each set, and know their characters."""
    held = [charset.of(pairs) for pairs in sets]
    cells = charset.partition(frozenset(held))
    assert charset.union(*cells.cells) == charset.ANY
    assert sum(map(charset.count, cells.cells)) == charset.LAST + 1
    for at, (cell, best) in enumerate(zip(cells.cells, cells.best, strict=True)):
        assert charset.contains(cell, best)
        assert cells.cell_of(best) == at
        assert all(charset.intersect(cell, chars) in (cell, ()) for chars in held)
    assert len({tuple(charset.contains(chars, best) for chars in held) for best in cells.best}) == len(cells.cells)


def test_readable_characters_come_first() -> None:
    """A letter before a digit before a mark, and a lone surrogate after everything else."""
    assert charset.best(charset.ANY) == ord("a")
    assert charset.best(charset.DIGIT) == ord("0")
    assert charset.best(((0xD000, 0xDFFF),)) == 0xD000
    assert charset.best(((0xD800, 0xE000),)) == 0xE000


def test_categories_are_those_of_unicodedata() -> None:
    """Every code point lies in exactly its own category."""
    table = categories.categories()
    assert sum(map(charset.count, table.values())) == charset.LAST + 1
    for code in range(0, charset.LAST, 997):
        assert charset.contains(table[unicodedata.category(chr(code))], code)
