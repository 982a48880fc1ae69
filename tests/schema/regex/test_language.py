"""Regular languages: what they hold, their algebra, and their agreement with two real validators."""

from __future__ import annotations

import itertools
import random
import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.schema.regex.language import InvalidPattern, Language, NotRegular, TooHard, watching
from claude_comm.schema.regex.parser import Reading
from tests.support.examples import examples

ALPHABET = "ab1_- \né\u2028😀"
PATTERNS = examples(300)
UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Patterns:
    """Random patterns of the whole syntax, small enough that short strings meet their corners."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def choice(self, depth: int) -> str:
        return "|".join(self.sequence(depth) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def sequence(self, depth: int) -> str:
        return "".join(self.quantified(depth) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 4])))

    def quantified(self, depth: int) -> str:
        atom = self.atom(depth)
        place = atom.startswith(("(?=", "(?!", "(?<")) or atom in ("^", "$", r"\b", r"\B")
        if place or self.random.random() > 0.35:
            return atom
        return atom + self.random.choice(["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}", "*?", "+?"])

    def atom(self, depth: int) -> str:
        pick = self.random.choice
        draw = self.random.random()
        if draw < 0.35:
            return pick(["a", "b", "1", "_", "-", " ", "é"])
        if draw < 0.45:
            return pick([".", r"\d", r"\w", r"\s", r"\W", r"\D", r"\S"])
        if draw < 0.55:
            return pick(["[ab]", "[^a]", r"[\w-]", r"[^\s1]", "[a-c1]", r"[^\W_]", r"[\u2028\n]"])
        if draw < 0.68:
            return pick(["^", "$", r"\b", r"\B"])
        if draw < 0.74:
            return pick(["(?=", "(?!"]) + self.choice(depth - 1) + ")"
        if draw < 0.77:
            return pick(["(?<=", "(?<!"]) + pick(["a", "b", "[ab]", "ab", "1a"]) + ")"
        return pick(["(", "(?:"]) + self.choice(depth - 1) + ")" if depth > 0 else "a"

    def string(self) -> str:
        return "".join(self.random.choice(ALPHABET) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 4, 5, 6])))

    def regular(self, reading: Reading = "runtime") -> tuple[str, Language]:
        while True:
            source = self.choice(2)
            try:
                return source, Language.pattern(source, reading=reading)
            except (NotRegular, TooHard):
                continue


def probes(source: Patterns, language: Language) -> list[str]:
    try:
        own = [*language.members(4), *(~language).members(4)]
    except TooHard:
        own = []
    return [source.string() for _ in range(10)] + [text for text in own if not re.search("[\ud800-\udfff]", text)]


@pytest.mark.by_chance
@pytest.mark.parametrize("seed", range(4))
def test_membership_agrees_with_jsonschema_rs(seed: int) -> None:
    """Every random pattern holds exactly the strings that jsonschema-rs accepts, read as it reads them."""
    source = Patterns(seed)
    compared = 0
    for _ in range(PATTERNS):
        pattern, language = source.regular()
        try:
            validator = jsonschema_rs.Draft202012Validator({"pattern": pattern})
        except jsonschema_rs.ValidationError:
            continue
        for text in probes(source, language):
            compared += 1
            assert language.accepts(text) == validator.is_valid(text), (pattern, text)
    assert compared > 6 * PATTERNS


@pytest.mark.by_chance
@pytest.mark.parametrize("seed", range(4, 8))
def test_membership_agrees_with_python(seed: int) -> None:
    """Every random pattern holds what `re` finds, once `$` is told not to look past a last newline.

    Python before 3.14 never finds `\\B` in an empty string, its `\\s` is shorter, and its dot leaves out one line end
    alone: all are left out.
    """
    source = Patterns(seed)
    compared = 0
    for _ in range(PATTERNS):
        pattern, language = source.regular("ecma")
        if r"\B" in pattern or "." in pattern:
            continue
        found = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
        for text in probes(source, language):
            if all(char.isascii() or char in "é😀" for char in text):
                compared += 1
                assert language.accepts(text) == bool(found.search(text)), (pattern, text)
    assert compared > 5 * PATTERNS


@pytest.mark.by_chance
@pytest.mark.parametrize("seed", range(3))
def test_the_algebra_agrees_with_membership(seed: int) -> None:
    """Difference, union, inclusion and the shortest member say what membership says, string by string."""
    source = Patterns(100 + seed)
    every = ["".join(chars) for n in range(5) for chars in itertools.product("ab1-", repeat=n)]
    for _ in range(examples(60)):
        (left, one), (right, other) = source.regular(), source.regular()
        low, high = sorted((source.random.randrange(4), source.random.randrange(6)))
        bounds = Language.lengths(low, high)
        try:
            lacking = ((one & bounds) - other).shortest()
        except TooHard:
            continue
        where = (left, right, low, high, lacking)
        breaking = [s for s in every if low <= len(s) <= high and one.accepts(s) and not other.accepts(s)]
        assert other.includes(one & bounds) == (lacking is None), where
        if lacking is None:
            assert breaking == [], where
        else:
            assert one.accepts(lacking), where
            assert not other.accepts(lacking), where
            assert low <= len(lacking) <= high, where
            assert all(len(text) >= len(lacking) for text in breaking), where
        for text in every[::7]:
            assert (one | other).accepts(text) == (one.accepts(text) or other.accepts(text)), where
            assert (~(one & other)).accepts(text) == (~one | ~other).accepts(text), where


@settings(max_examples=examples(60), deadline=None)
@given(st.frozensets(st.text("ab", max_size=4)), st.frozensets(st.text("ab", max_size=4)))
def test_a_finite_set_is_its_words(left: frozenset[str], right: frozenset[str]) -> None:
    """Languages made from words behave as sets of words do, also once they are mixed with patterns."""
    one, other = Language.literals(left), Language.literals(right)
    doubled = ~~other  # the same strings, held as an automaton
    for union, meet, rest in ((one | other, one & other, one - other), (one | doubled, one & doubled, one - doubled)):
        assert set(union.members(100)) == left | right
        assert set(meet.members(100)) == left & right
        assert set(rest.members(100)) == left - right
    assert other.includes(one) == (left <= right) == doubled.includes(one)
    assert doubled.size(100) == len(right)
    assert (doubled - one).size(100) == len(right - left)


@pytest.mark.parametrize(
    ("pattern", "text", "held"),
    [
        ("^a$", "a\n", False),
        ("^.$", "\r", False),
        ("^.$", "\u2028", False),
        ("^.$", "\x85", True),
        ("^.$", "😀", True),
        (r"^\d$", "٣", False),
        (r"^\w$", "é", False),
        (r"^\s$", "\ufeff", True),
        (r"^\s$", "\x85", False),
        (r"^\s$", "\x1c", False),
        (r"^\S$", "\x85", True),
        (r"^\ud83d\ude00$", "😀", True),
        (r"^\u{1F600}$", "😀", True),
        (r"^\x41\u0042\cA\0$", "AB\x01\0", True),
        (r"^\p{L}$", "é", True),
        (r"^\p{General_Category=Lu}$", "é", False),
        (r"^[\p{N}\-]$", "-", True),
        (r"^\P{L}$", "1", True),
        ("", "anything", True),
        ("a|", "", True),
        (r"\bé", "é", False),
        ("^(?<year>[0-9]{4})-(?:0[1-9]|1[0-2])$", "2026-11", True),
        ("^]}{$", "]}{", True),
        ("^x{,$", "x{,", True),
        (r"^[\w-a]$", "-", True),
        ("(?=a)b", "b", False),
        ("^(?:(?!--)[a-z-])*$", "a-b-c", True),
        ("^(?:(?!--)[a-z-])*$", "a--c", False),
        (r"(?<!\w)cat(?!\w)", "a cat!", True),
        (r"(?<!\w)cat(?!\w)", "a cat5", False),
        ("^(?:a(?=b)|b){2}$", "ab", True),
        ("^[^a]$", "\ud800", True),
        ("(?:^|a){3}$", "a", True),
        ("(?:^|a){3}$", "ba", False),
    ],
)
def test_patterns_mean_what_ecma_262_says(pattern: str, text: str, held: bool) -> None:
    """The corners where engines differ follow the standard."""
    assert Language.pattern(pattern).accepts(text) is held


@pytest.mark.parametrize(
    "pattern", ["(", ")", "a{2,1}", "[z-a]", "*a", "a**", "\\", "[a", r"\u{110000}", r"(a)\2", "a{2}{3}"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """A malformed pattern is named as such, never read somehow."""
    with pytest.raises(InvalidPattern):
        Language.pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", r"(?<n>a)\k<n>", r"\Aa", r"a\Z", "(?i)a", "(?P<n>a)", "a{,3}", "a++", r"\p{Script=Greek}", "[]a]"],
)
def test_what_is_not_regular_or_read_differently_says_so(pattern: str) -> None:
    """No verdict rests on a back-reference, nor on syntax that validators disagree about."""
    with pytest.raises(NotRegular):
        Language.pattern(pattern)


@pytest.mark.parametrize("pattern", [r"\<a", r"a\>", r"(?:\<)+"])
def test_the_ends_of_a_word_in_rust_are_no_characters(pattern: str) -> None:
    with pytest.raises(NotRegular):
        Language.pattern(pattern)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("^[0-9a-fA-F-]{36}$", UUID),
        ("^[a-z0-9]{1,200000}$", "^[a-z]{1,100000}$"),
        (r"^\d+\.\d+\.\d+$", r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"),
        ("@", r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$"),
        ("^(?:(?!ab).)*$", "^b*a*$"),
        (r"^\p{L}+$", "^[a-zé]+$"),
        ("a", "^(a|b)*a(a|b){20}$"),
        ("^(a*)*$", "^(a+)+$"),
        ("^(cat|dog|cow)$", "^(dog|cat)$"),
        ("^[^\\n]*$", "^.*$"),
    ],
)
def test_inclusion_is_proved_one_way_and_refuted_the_other(wide: str, narrow: str) -> None:
    """A narrower pattern fits a wider one; the other way there is a string that shows why not."""
    assert Language.pattern(wide).includes(Language.pattern(narrow))
    lacking = Language.pattern(wide) - Language.pattern(narrow)
    witness = lacking.shortest()
    assert witness is not None
    assert Language.pattern(wide).accepts(witness)
    assert not Language.pattern(narrow).accepts(witness)


def test_lengths_cost_no_states() -> None:
    """A hostile `maxLength` is arithmetic: a billion is answered like ten."""
    pairs = Language.pattern("^(ab)*$")
    assert Language.lengths(0, 10**9).includes(Language.lengths(3, 10**8))
    assert not Language.lengths(4, 10**9).includes(Language.lengths(3, 10**8))
    assert (pairs & Language.lengths(999_999_999, 999_999_999)).is_empty()
    assert not (pairs & Language.lengths(999_999_999, 10**9)).is_empty()
    with pytest.raises(TooHard):
        (pairs & Language.lengths(999_999_999, 10**9)).shortest()
    assert Language.pattern("^id-[a-z]{20,30}$").shortest() == "id-" + "a" * 20
    assert len((Language.pattern("^[a-z]{1,2000}$") - Language.pattern("^[a-z]{1,1000}$")).shortest() or "") == 1001


def test_members_come_shortest_first_and_readable() -> None:
    """Witnesses are for people: short, and of plain characters where the pattern leaves a choice."""
    assert Language.pattern(UUID).shortest() == "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
    assert Language.pattern(r"^[^@]+@[^@]+$").shortest() == "a@a"
    assert Language.pattern("^[a-c]{1,2}$").members(100)[:4] == ["a", "b", "c", "aa"]
    found = Language.pattern("^[A-Z][a-z]*\\d?$").members(20)
    assert len(set(found)) == 20
    assert len({len(text) for text in found}) >= 4
    assert [len(text) for text in found] == sorted(len(text) for text in found)


def test_size_counts_up_to_its_limit() -> None:
    """A finite language is counted exactly; a larger or endless one is None."""
    assert Language.pattern("^[a-c]{2,3}$").size(36) == 36
    assert Language.pattern("^[a-c]{2,3}$").size(35) is None
    assert Language.pattern("^a*$").size(10**6) is None
    assert (Language.pattern("^a*$") & Language.lengths(0, 99)).size(1000) == 100
    assert Language.nothing().size(0) == 0
    assert Language.literals(["x", "y"]).size(1) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 200 + ")" * 200,
        "a" * 20_000,
        "a{9999999999}",
        "^(((a{100}){100}){100})$",
        pytest.param("^(?:(a|b)*a(a|b){18}){2}$", marks=pytest.mark.long),
    ],
)
def test_hostile_patterns_end_in_too_hard(pattern: str) -> None:
    """A cap ends what would not end; nothing else is raised."""
    with pytest.raises(TooHard):
        Language.pattern(pattern).size(10**9)


def test_a_budget_can_stop_a_search() -> None:
    """The caller's tick is called as the walk goes on, and may end it long before the walk's own cap."""
    seen = 0

    def tick() -> None:
        nonlocal seen
        seen += 1
        if seen > 10:
            raise TooHard("the budget is spent")

    hard = ~Language.pattern("^(?:(a|b)*a(a|b){18}){2}$")
    with watching(tick), pytest.raises(TooHard, match="budget"):
        hard.size(10**9)
    assert seen == 11
    assert Language.pattern("^a{15}b$").shortest() == "a" * 15 + "b"
