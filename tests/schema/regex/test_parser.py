"""How a pattern is read: its tree, what is the same written in another way, and what it ends in."""

from __future__ import annotations

import pytest

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.errors import InvalidPattern, LanguageError, NotRegular, TooHard
from claude_comm.schema.regex.parser import (
    MAX_COUNT_DIGITS,
    MAX_DEPTH,
    MAX_SOURCE_CHARS,
    Assert,
    Choice,
    Look,
    Node,
    Repeat,
    Sequence,
    Set,
    parse,
)


def char(text: str) -> Set:
    return Set(charset.single(ord(text)))


A, B = char("a"), char("b")


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("a", A),
        ("", Sequence(())),
        ("ab", Sequence((A, B))),
        ("a|b|", Choice((A, B, Sequence(())))),
        ("a?", Repeat(A, 0, 1)),
        ("a*", Repeat(A, 0, None)),
        ("a+", Repeat(A, 1, None)),
        ("a+?b", Sequence((Repeat(A, 1, None), B))),
        ("a{2}", Repeat(A, 2, 2)),
        ("a{2,}", Repeat(A, 2, None)),
        ("a{2,12}?", Repeat(A, 2, 12)),
        ("a{", Sequence((A, char("{")))),
        ("a{b}", Sequence((A, char("{"), B, char("}")))),
        ("(?:ab)?", Repeat(Sequence((A, B)), 0, 1)),
        ("(?<n>a)", A),
        (r"\b{2}", Repeat(Assert("boundary"), 2, 2)),
        (r"\b{12,}", Repeat(Assert("boundary"), 12, None)),
        ("(?=a)", Look("ahead", True, A)),
        ("(?!a)", Look("ahead", False, A)),
        ("(?<=a)", Look("behind", True, A)),
        ("(?<!a)", Look("behind", False, A)),
        (".", Set(charset.invert(charset.LINE_ENDS))),
        ("[a-c]", Set(((0x61, 0x63),))),
        ("[a-a]", A),
        ("[^a-c]", Set(charset.invert(((0x61, 0x63),)))),
        ("[a-]", Set(charset.of([(0x61, 0x61), (0x2D, 0x2D)]))),
        (r"[\d-a]", Set(charset.of([*charset.DIGIT, (0x61, 0x61), (0x2D, 0x2D)]))),
        (r"\u{41}b", Sequence((char("A"), B))),
        (r"\u{10FFFF}", Set(charset.single(charset.LAST))),
        (r"\x41b", Sequence((char("A"), B))),
        # Lead and trail surrogates are one character, from the first to the last of them; nothing else is.
        (r"\ud800\udc00", char("\U00010000")),
        (r"\udbff\udfff", char("\U0010ffff")),
        (r"\ud83d\ude00b", Sequence((char("\U0001f600"), B))),
        (r"\ud7ff\udc00", Sequence((char("\ud7ff"), char("\udc00")))),
        (r"\udc00\udc00", Sequence((char("\udc00"), char("\udc00")))),
        (r"\u0041\udc00", Sequence((char("A"), char("\udc00")))),
        (r"\ud83d\udbff", Sequence((char("\ud83d"), char("\udbff")))),
        (r"\ud83d\ue000", Sequence((char("\ud83d"), char("\ue000")))),
        (r"\ud83da", Sequence((char("\ud83d"), A))),
        # A digit of another script is none of an octal escape.
        ("\\0\u00b2", Sequence((char("\0"), char("\u00b2")))),
        ("\\0\u0661", Sequence((char("\0"), char("\u0661")))),
    ],
)
def test_a_pattern_has_one_tree(source: str, tree: Node) -> None:
    assert parse(source) == tree


def test_the_validator_at_run_time_takes_all_but_a_line_feed_for_a_dot() -> None:
    assert parse(".", reading="runtime") == Set(charset.invert(charset.single(0x0A)))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("*", InvalidPattern, "nothing to repeat at 0"),
        ("a|+", InvalidPattern, "nothing to repeat at 2"),
        ("a**", InvalidPattern, "nothing to repeat at 2"),
        ("a+?*", InvalidPattern, "nothing to repeat at 3"),
        ("a{2}{3}", InvalidPattern, "nothing to repeat"),
        ("{2}", InvalidPattern, "nothing to repeat"),
        ("a{3,2}", InvalidPattern, "out of order"),
        ("[b-a]", InvalidPattern, "out of order"),
        ("a)", InvalidPattern, r"unmatched '\)' at 1"),
        ("(a", InvalidPattern, "not closed"),
        ("[a", InvalidPattern, "ends inside a class"),
        ("a\\", InvalidPattern, "ends inside an escape"),
        (r"\01a", InvalidPattern, "an octal escape"),
        ("a*+", NotRegular, "possessive"),
        ("a{,3}", NotRegular, "a count elsewhere"),
        ("(?i)a", NotRegular, r"`\(\?i\)`"),
        (r"\b{s}", NotRegular, "a bound of words"),
        ("[]", NotRegular, "empty class"),
        # A group that is there, one that is not, and one of two digits.
        (r"\1", InvalidPattern, "does not exist"),
        (r"(a)\1", NotRegular, "back-reference"),
        (r"(a)\1b", NotRegular, "back-reference"),
        (r"(a)\2", InvalidPattern, "does not exist"),
        (r"(a)\12", InvalidPattern, "does not exist"),
        (r"(?:a)\1", InvalidPattern, "does not exist"),
        (r"(?<n>a)\1", NotRegular, "back-reference"),
        (r"(?<n>a)\k<n>", NotRegular, "back-reference"),
        (r"(?<n>a)\k<m>", InvalidPattern, "does not exist"),
        ("a{1,%s}" % ("9" * (MAX_COUNT_DIGITS + 1)), TooHard, "a count of 10 digits"),
        ("a{%s,}" % ("9" * (MAX_COUNT_DIGITS + 1)), TooHard, "a count of 10 digits"),
        ("a" * (MAX_SOURCE_CHARS + 1), TooHard, "the limit is 10,000"),
        ("(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1), TooHard, "nested deeper"),
        ("()" * 9 + "(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1), TooHard, "nested deeper"),
    ],
)
def test_what_is_no_pattern_or_too_much_of_one_says_why(source: str, error: type[LanguageError], words: str) -> None:
    with pytest.raises(error, match=words):
        parse(source)


@pytest.mark.parametrize(
    "source",
    [
        f"(?<{'n' * (MAX_SOURCE_CHARS - 6)}>a)",
        "(" * MAX_DEPTH + ")" * MAX_DEPTH,
        "()" * (MAX_DEPTH + 9),
        "a{%s}" % ("9" * MAX_COUNT_DIGITS),
    ],
    ids=len,
)
def test_exactly_so_much_is_taken(source: str) -> None:
    parse(source)
