"""Sets of code points are sets, whatever is done with them."""

from __future__ import annotations

import string

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.schema.regex import categories, charset

LINEAR = jsonschema_rs.RegexOptions()

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


def _text(chars: charset.Chars) -> str:
    return "".join(chr(code) for low, high in chars for code in range(low, high + 1) if not 0xD800 <= code <= 0xDFFF)


def _finds(pattern: str, text: str) -> bool:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=LINEAR).is_valid(text)


def test_every_code_point_has_one_category() -> None:
    table = categories.categories()
    assert sum(map(charset.count, table.values())) == charset.LAST + 1


@pytest.mark.parametrize("name", sorted(set(categories.categories()) - {"Cs"}))
def test_categories_are_those_of_the_run_time_validator(name: str) -> None:
    """In one text of all its characters nothing is found that is outside of the category."""
    assert not _finds(rf"[^\p{{{name}}}]", _text(categories.categories()[name]))


def test_words_are_those_of_the_run_time_validator() -> None:
    """Between two word characters there is no bound of a word, and between two others there is none either."""
    inside = _text(categories.unicode_word())
    assert _finds(r"^\b", inside)
    assert not _finds(r"[\s\S]\b[\s\S]", inside)
    assert not _finds(r"\b", _text(charset.invert(categories.unicode_word())))


def test_intervals_that_touch_are_one() -> None:
    assert charset.of([(3, 4), (1, 2)]) == ((1, 4),)
    assert charset.of([(1, 2), (4, 5)]) == ((1, 2), (4, 5))
    assert charset.of([(1, 9), (2, 3), (9, 9)]) == ((1, 9),)


def test_the_last_character_is_one_like_any_other() -> None:
    most = ((0, charset.LAST - 1),)
    assert charset.invert(most) == charset.single(charset.LAST)
    cells = charset.partition(frozenset([most]))
    assert sorted(cells.cells) == sorted([most, charset.single(charset.LAST)])
    assert cells.cell_of(charset.LAST) != cells.cell_of(charset.LAST - 1)


def test_every_member_comes_once_and_surrogates_last() -> None:
    chars = ((0xD7FE, 0xD802), (0x61, 0x62), (0xE000, 0xE003))
    members = list(charset.spread(charset.of(chars)))
    assert members[:2] == [0x61, 0x62]
    assert members[-3:] == [0xD800, 0xD801, 0xD802]
    assert sorted(members) == sorted(code for low, high in chars for code in range(low, high + 1))


def test_the_most_readable_cell_is_the_first() -> None:
    letters = charset.partition(frozenset([((0x61, 0x7A),)]))
    assert letters.best == (ord("a"), ord("0"))
    assert charset.union(*letters.cells) == charset.ANY
    assert charset.partition(frozenset([((0x00, 0x7F),), charset.SURROGATES])).best == (ord("a"), 0x80, 0xD800)


def characters(chars: charset.Chars) -> str:
    return "".join(chr(code) for low, high in chars for code in range(low, high + 1))


def test_the_classes_of_escapes_are_those_of_the_standards() -> None:
    """ECMA-262's for the `u` flag, and Unicode's white space, which Python knows but for four separators of records."""
    assert characters(charset.DIGIT) == string.digits
    assert set(characters(charset.WORD)) == {*string.ascii_letters, *string.digits, "_"}
    white = {chr(code) for code in range(charset.LAST + 1) if chr(code).isspace()} - set("\x1c\x1d\x1e\x1f")
    assert set(characters(charset.WHITE_SPACE)) == white
    assert set(characters(charset.SPACE)) == white - {"\x85"} | {"\ufeff"}
    assert set(characters(charset.LINE_ENDS)) == set("\n\r\u2028\u2029")
    assert charset.count(charset.ANY) == 0x110000
    assert {0xD7FF, 0xD800, 0xDFFF, 0xE000} & {*map(ord, characters(charset.SURROGATES))} == {0xD800, 0xDFFF}
    for chars in (charset.SPACE, charset.WHITE_SPACE, charset.WORD, charset.LINE_ENDS):
        assert charset.of(chars) == chars
