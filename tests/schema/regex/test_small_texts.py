"""On every short text a pattern finds what Python's own engine finds; what a search says of it is so."""

from __future__ import annotations

import itertools
import re

import pytest

from claude_comm.schema.regex import compile as compile_
from claude_comm.schema.regex import parser
from claude_comm.schema.regex.errors import NotRegular, TooHard
from claude_comm.schema.regex.language import Language

TEXTS = ["".join(chars) for length in range(5) for chars in itertools.product("ab-", repeat=length)]
LETTERS = Language.pattern("^[ab-]*$")

PATTERNS = [
    # Counts with a look-around in them, which are written out.
    "^((?=a)a){1,2}$",
    "^((?=a)a|b){2,}-$",
    "^((?!a)[^-]){0,2}$",
    "((?=a)[ab]){2}",
    # Endless ones, with places in them that a turn may not skip.
    r"^(?:(?=\w)\w+\b\W?)*$",
    r"^(?:(?=.)(?:a\B|b\b|-))*$",
    r"^(?:(?!b)(?:\Ba|b|a\b))+-?$",
    r"(?:(?=a)(?:a|b$))*b\b",
    "^(?:(?=.)(?:^a|b))+$",
    r"^(?:(?=.)(?:\Bb|a|-))*$",
    r"^(?:(?=(?:a\b|b))[ab])*(?:$|-)",
    # What must not follow or precede, with places in it.
    r"^(?!a\b)\w+",
    r"^a(?!$)",
    r"^(?!.*\b-)(?=.*b)",
    r"(?<!a)b(?!\b)",
    r"(?<=a\b)-",
    "(?!(?:a|b$))[ab]",
    "^(?:(?!ab).)*$",
    # Places alone.
    # Python before 3.14 finds no `\B` in an empty text.
    r"\B.",
    r"^\B.|.\B$",
    r"\b-\b",
    "(?:^|-)a(?:$|-)",
    "a^b|b$a|^a^b$",
    "(?:^a?){2}b",
    "(?:a?$){2}",
    # Counts of what may match nothing, and nested ones.
    "^(?:a?){2,3}$",
    r"^(?:\b|a){2}b",
    "^(?:a{2}){1,2}b{0}$",
    "^(?:a{2,})*$|^b+b+$",
    "^(?:a*b){2}$|^-{2,}$",
    "^(?:(?:a|b)-?){2}$",
    "^[^ab]+$|^(?:)$",
    "(?:a|ab)(?:b|-)$",
]


@pytest.mark.parametrize("source", PATTERNS)
def test_a_pattern_finds_what_it_finds_elsewhere(source: str) -> None:
    language, other = Language.pattern(source), re.compile(source, re.ASCII)
    expected = {text for text in TEXTS if other.search(text)}
    assert {text for text in TEXTS if language.accepts(text)} == expected
    assert {text for text in TEXTS if not (~language).accepts(text)} == expected
    shortest = language.shortest()
    assert (shortest is None) == language.is_empty()
    if expected:
        assert shortest is not None
        assert len(shortest) == len(min(expected, key=len))
    of_two = language & LETTERS & Language.lengths(2, 2)
    assert sorted(of_two.members(99)) == sorted(text for text in expected if len(text) == 2)
    assert of_two.size(99) == len(of_two.members(99))


@pytest.mark.parametrize(
    ("source", "found", "not_found"),
    [
        (r"\<a", ["a", " a", "é a"], ["ba", "éa", "b", ""]),
        (r"a\>", ["a", "a ", "xa-"], ["ab", "aé", ""]),
        (r"\<\w+\>", ["ab", " ab "], ["-", "", "é", "éab"]),
        (r"^é\b", ["é", "é-"], ["éa", "éé", "-é"]),
        (r"^é\B", ["éa", "éé"], ["é", "é-"]),
        (r"^(?!x)\d$", ["7", "\u0663"], ["x", "٣٣"]),
        (r"^.$", ["\r", "\u2028", "a"], ["\n", ""]),
    ],
)
def test_what_the_validator_at_run_time_reads_in_its_own_way(
    source: str, found: list[str], not_found: list[str]
) -> None:
    language = Language.pattern(source, reading="runtime")
    assert [text for text in (*found, *not_found) if language.accepts(text)] == found
    assert all((Language.literals([text]) - language).is_empty() for text in found)


@pytest.mark.parametrize("source", ["^(?:(?=a)a*)*$", "^(?:(?=a)(?:b|c?))*$", "(?:(?=a))*b", "(?:(?=a)(?:b{0,2}|c))+"])
def test_an_endless_repetition_that_may_match_nothing_is_not_read(source: str) -> None:
    with pytest.raises(NotRegular):
        Language.pattern(source)


@pytest.mark.parametrize(
    ("source", "copies"),
    [
        ("a{9}", 0),
        ("(?=a)b", 1),
        ("(?=(?!b)(?=c))b", 2),
        ("(?:(?=a)b){3}", 3),
        ("(?:(?=a)b){2,5}", 5),
        ("(?:(?=a)b){2,}", 3),
        ("(?:(?:(?=a)b){3}|(?!a)b){2}", 8),
    ],
)
def test_what_is_written_out_is_counted(source: str, copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = parser.parse(source)
    monkeypatch.setattr(compile_, "_MAX_COPIES", copies)
    compile_.search_language(tree)
    monkeypatch.setattr(compile_, "_MAX_COPIES", copies - 1)
    with pytest.raises(TooHard):
        compile_.search_language(tree)


@pytest.mark.parametrize(
    ("source", "low", "high", "shortest"),
    [
        ("^(?:a{5})*$", 6, 9, None),
        ("^(?:a{5})*$", 6, 10, "a" * 10),
        ("^aaaa$", 0, 4, "aaaa"),
        ("^aaaa$", 0, 3, None),
        ("^aaaa$", 4, 4, "aaaa"),
        ("^aaaa$", 5, 9, None),
        # Alternatives before something, and taken twice.
        ("^(?:ab|cd)x$", 0, None, "abx"),
        ("^(?:ab|cd)x$", 4, None, None),
        ("^(?:ab|cd){2}$", 0, None, "abab"),
        ("^(?:ab|cd){2}$", 0, 3, None),
        # Of lengths that come again: after two characters, every third.
        ("^(?:|x|xy(?:abc)*)$", 101, 101, "xy" + "abc" * 33),
        ("^(?:|x|xy(?:abc)*)$", 102, 102, None),
        ("^(?:|x|xy(?:abc)*)$", 103, 103, None),
        ("^(?:|x|xy(?:abc)*)$", 102, 104, "xy" + "abc" * 34),
        ("^(?:|x|xy(?:abc)*)$", 1, 2, "x"),
        # Of the characters of a class, one may be at the bound of a word and another not.
        (r"^[-_]\b$", 0, None, "_"),
        (r"^[-_]\B$", 0, None, "-"),
    ],
)
def test_a_shortest_member_within_bounds(source: str, low: int, high: int | None, shortest: str | None) -> None:
    language = Language.pattern(source) & Language.lengths(low, high)
    assert language.shortest() == shortest
    assert language.is_empty() is (shortest is None)
