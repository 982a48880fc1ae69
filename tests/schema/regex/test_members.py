"""Which strings a language has, by their lengths, how many they are, and which of them are listed."""

from __future__ import annotations

import itertools

import pytest

from claude_comm.schema.regex import states
from claude_comm.schema.regex.language import Language, TooHard


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (0, 2), (1, 1), (1, 3), (2, None), (3, 5), (-1, 2), (3, 2), (0, None)]
)
def test_lengths_are_those_that_are_asked_for(low: int, high: int | None) -> None:
    language = Language.lengths(low, high)
    for length in range(8):
        expected = low <= length and (high is None or length <= high)
        text = "a" * length
        assert language.accepts(text) is expected
        assert (~language).accepts(text) is not expected
        assert (Language.literals([text]) & language).is_empty() is not expected
        assert (language & Language.pattern(f"^a{{{length}}}$")).is_empty() is not expected


def test_words_and_patterns_combine_in_either_order() -> None:
    words, pattern = Language.literals(["a", "ab", "b"]), Language.pattern("^a")
    assert (words & pattern).members(9) == (pattern & words).members(9) == ["a", "ab"]
    assert (words - pattern).members(9) == ["b"]
    assert (words | pattern).accepts("b")
    assert (pattern | words).accepts("b")
    assert not (pattern - words).accepts("ab")
    assert (words & Language.everything()) is words


@pytest.mark.parametrize(("limit", "size"), [(25, None), (26, 26), (27, 26)])
def test_many_members_of_one_length_are_counted_as_well(limit: int, size: int | None) -> None:
    assert Language.pattern("^[a-z]$").size(limit) == size


@pytest.mark.parametrize("limit", range(13))
@pytest.mark.parametrize("source", ["^[a-c]{1,2}$", "^a*$", "b"])
def test_so_many_members_are_listed_as_are_asked_for(source: str, limit: int) -> None:
    language = Language.pattern(source)
    members = language.members(limit)
    assert len(members) == len(set(members)) == limit
    assert all(map(language.accepts, members))
    assert [len(member) for member in members] == sorted(len(member) for member in members)


def test_all_members_are_listed_where_there_are_no_more() -> None:
    texts = ["".join(chars) for length in (1, 2) for chars in itertools.product("abc", repeat=length)]
    assert sorted(Language.pattern("^[a-c]{1,2}$").members(99)) == sorted(texts)
    assert Language.pattern("^(?:|ab|abc{9})$").members(9) == ["", "ab", "ab" + "c" * 9]


# Of one or two rules, each with its least and its greatest length.
Rules = list[tuple[str, int, int | None]]


@pytest.mark.parametrize(
    ("rules", "members"),
    [
        ([("^a*$", 0, 2)], ["", "a", "aa"]),
        ([("^a*$", 1, 2)], ["a", "aa"]),
        ([("^a*$", 2, 2)], ["aa"]),
        ([("^aa$", 0, 2)], ["aa"]),
        ([("^[ab]*$", 1, 1), ("^[cd]*$", 2, 2)], ["a", "b", "cc", "cd", "dc", "dd"]),
        ([("^a*$", 200, 200), ("^b*$", 300, 300)], ["a" * 200, "b" * 300]),
        ([("^(?:aa)*$", 201, 201)], []),
        ([("^(?:aa)*$", 3, 3)], []),
    ],
)
def test_members_within_bounds_of_length(rules: Rules, members: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.schema.regex.language._LONG_MEMBER", 100)
    language = Language.nothing()
    for source, low, high in rules:
        language |= Language.pattern(source) & Language.lengths(low, high)
    assert sorted(language.members(9)) == sorted(members)
    assert language.size(9) == len(members)
    assert language.size(len(members)) == len(members)
    if members:
        assert language.size(len(members) - 1) is None


def test_members_are_listed_as_far_as_an_automaton_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    language = Language.pattern("^(?:a|ba{5,9})$")
    monkeypatch.setattr(states, "MAX_STEPS", 6)
    assert language.members(1) == ["a"]
    with pytest.raises(TooHard):
        language.size(9)


RANGES = [(0, 0), (1, 2), (2, 3), (3, 4), (2, None), (0, 3)]


@pytest.mark.parametrize(("left", "right"), [*itertools.product(RANGES, repeat=2)])
def test_ranges_of_lengths_combine(left: tuple[int, int | None], right: tuple[int, int | None]) -> None:
    def within(length: int, bounds: tuple[int, int | None]) -> bool:
        return bounds[0] <= length and (bounds[1] is None or length <= bounds[1])

    one, two = Language.lengths(*left), Language.lengths(*right)
    three = one | two | Language.lengths(6, 6)
    for length in range(8):
        text, ours, theirs = "a" * length, within(length, left), within(length, right)
        assert (one & two).accepts(text) is (ours and theirs)
        assert (one | two).accepts(text) is (ours or theirs)
        assert (one - two).accepts(text) is (ours and not theirs)
        assert three.accepts(text) is (ours or theirs or length == 6)
        assert (~three).accepts(text) is not three.accepts(text)


@pytest.mark.parametrize(
    ("source", "members", "others"),
    [
        ("^a{20,30}b$", ["a" * 20 + "b", "a" * 30 + "b"], ["a" * 19 + "b", "a" * 31 + "b", "a" * 25]),
        ("^ab[0-9]{20}cd$", ["ab" + "1" * 20 + "cd"], ["ab" + "1" * 19 + "cd", "ab" + "1" * 21 + "cd", "1" * 24]),
        ("^a{20,}$", ["a" * 20, "a" * 99], ["a" * 19, "a" * 20 + "b"]),
        ("^x{2}a{0,20}$", ["xx", "xx" + "a" * 20], ["x", "xx" + "a" * 21, "xxx"]),
        # What else there is may be of several lengths: then the length alone does not tell.
        ("^(?:a|bc)d{20}$", ["a" + "d" * 20, "bc" + "d" * 20], ["a" + "d" * 21, "bc" + "d" * 19]),
        ("^x?d{20}$", ["d" * 20, "x" + "d" * 20], ["d" * 21, "x" + "d" * 19]),
        ("^d{20}x*$", ["d" * 20, "d" * 20 + "xx"], ["d" * 21, "d" * 19 + "x"]),
        ("^[a-z]{20}(?!b)c?$", ["a" * 20, "a" * 20 + "c"], ["a" * 21, "a" * 19, "a" * 20 + "b"]),
        ("^a{20}b{20}$", ["a" * 20 + "b" * 20], ["a" * 21 + "b" * 19, "a" * 19 + "b" * 21]),
        ("a{20}", ["a" * 20, "xx" + "a" * 21], ["a" * 19]),
    ],
)
def test_a_long_count_is_kept_whatever_stands_beside_it(source: str, members: list[str], others: list[str]) -> None:
    language = Language.pattern(source)
    assert all(map(language.accepts, members))
    assert not any(map(language.accepts, others))
