"""Classes of characters, held to the characters."""

from __future__ import annotations

import re

import pytest

from claude_comm.schema.types import characters
from claude_comm.schema.types.characters import bracketed, character
from claude_comm.schema.validation.validator import compile_validator

PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
ODD = ["\t", "\n", "\x7f", "\x85", "\u00e9", "\u2028", "\u3000", "\uffff", "\U0001f600", "\U000e0001"]
# Scripts that every Python that the project runs on knows.
KNOWN = range(0x3000)


@pytest.mark.parametrize(("before", "after"), [("^", "$"), ("^[", "]$"), ("^[^", "a]$"), ("^[a", "]$")])
def test_a_character_stands_for_itself_inside_a_class_and_outside(before: str, after: str) -> None:
    for char in [*PRINTABLE, *ODD]:
        written = f"{before}{character(ord(char))}{after}"
        validator = compile_validator({"pattern": written})
        excluded = "^[^" in before
        for text in (char, "\u0416"):
            assert validator.accepts(text) is ((text == char) is not excluded), (written, text)
        assert not validator.accepts(char * 2)


@pytest.mark.parametrize(
    ("low", "high"), [("a", "a"), ("a", "b"), ("a", "c"), ("+", "/"), ("\x00", "\x1f"), ("[", "^")]
)
def test_a_range_has_its_ends_and_all_between(low: str, high: str) -> None:
    written = re.compile(bracketed(((ord(low), ord(high)),)))
    for code in range(0x80):
        assert bool(written.fullmatch(chr(code))) is (low <= chr(code) <= high), (written.pattern, code)


def test_a_hyphen_among_others_is_no_range() -> None:
    written = re.compile(bracketed(tuple((ord(char), ord(char)) for char in "+-9")))
    assert [chr(code) for code in range(0x80) if written.fullmatch(chr(code))] == ["+", "-", "9"]


@pytest.mark.parametrize(
    ("chars", "wanted"),
    [
        (characters.python_digits, lambda char: re.fullmatch(r"\d", char)),
        (characters.python_word, lambda char: re.fullmatch(r"\w", char)),
        (lambda: characters.PYTHON_SPACE, lambda char: re.fullmatch(r"\s", char)),
    ],
)
def test_a_shorthand_of_python_has_the_same_characters(chars: object, wanted: object) -> None:
    listed = {code for low, high in chars() for code in range(low, high + 1)}  # type: ignore[operator]
    assert listed & set(KNOWN) == {code for code in KNOWN if wanted(chr(code))}  # type: ignore[operator]


def test_a_space_of_rust_is_one_of_python_but_for_the_separators_of_ascii() -> None:
    listed = {code for low, high in characters.RUST_SPACE for code in range(low, high + 1)}
    assert listed & {*KNOWN, 0x3000, 0xFEFF} == {code for code in (*KNOWN, 0x3000) if chr(code).isspace()} - {
        *range(0x1C, 0x20)
    }
