"""Patterns that are none, or that validators read differently: refused, each with its reason."""

from __future__ import annotations

import pytest

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import categories, general_category
from claude_comm.schema.regex.errors import InvalidPattern, NotRegular
from claude_comm.schema.regex.parser import parse


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?<a>x)(?<a>y)", "two groups are called 'a'"),
        ("(?<1>x)", "a group name that cannot be used"),
        ("(?<a", "a group name that cannot be used"),
        (r"\k", "without a group name"),
        (r"\c1", "needs a letter"),
        (r"\00", "an octal escape"),
        (r"\x4", "2 hexadecimal digits"),
        (r"\u12g4", "4 hexadecimal digits"),
        (r"\u{110000}", "a code point"),
        (r"\u{}", "a code point"),
        (r"\u{41", "a code point"),
        (r"\p{Lu", "not closed"),
        (r"[\1]", "in a class"),
        (r"[\k]", "in a class"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(InvalidPattern, match=why):
        parse(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", r"\pL", r"\q", r"\b{start}", r"\p{Script=Greek}", r"\p{Greek}", r"\p{gc=Any}", r"\p{Lux}", r"\p{}"],
)
def test_what_validators_read_differently_is_no_regular_pattern_here(pattern: str) -> None:
    with pytest.raises(NotRegular):
        parse(pattern)


def test_a_lead_and_a_trail_surrogate_are_one_character_and_a_lead_alone_is_itself() -> None:
    assert parse(r"\ud83d\ude00") == parse("\U0001f600")
    for alone in (r"\ud83d\u0041", r"\ud83d\u{41}"):
        assert parse(alone) == parse("\ud83dA")


@pytest.mark.parametrize(("pattern", "plain"), [(r"\cJ", r"\n"), (r"[\b]", r"\x08"), (r"\0", r"\x00"), (r"\-", "-")])
def test_the_same_character_written_differently(pattern: str, plain: str) -> None:
    assert parse(pattern) == parse(plain)


def test_a_category_is_what_unicode_says_under_each_of_its_names() -> None:
    assert general_category("Any") == charset.ANY
    assert general_category("ASCII") == ((0, 0x7F),)
    assert general_category("Assigned") == charset.invert(categories()["Cn"])
    assert general_category("gc=Lu") == general_category("Uppercase_Letter") == categories()["Lu"]
    assert general_category("LC") == charset.union(*(categories()[name] for name in ("Lu", "Ll", "Lt")))
