"""What is too much work is said to be too hard; what is forgotten on the way is found again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from claude_comm.schema.regex import automaton, charset, compile, derivatives, dfa, expression, states
from claude_comm.schema.regex.language import InvalidPattern, Language, NotRegular, TooHard

LETTER = expression.chars(charset.single(ord("a")))
OTHER = expression.chars(charset.single(ord("b")))
LONG = "^(a|b){3,30}c$"


def test_a_length_that_none_has_is_no_language() -> None:
    assert Language.lengths(3, 1).is_empty()
    assert Language.lengths(-1, 0).shortest() == ""


def test_of_listed_words_the_shortest_is_known() -> None:
    assert Language.literals(["bb", "b", "a"]).shortest() == "a"
    assert Language.literals([]).shortest() is None


@pytest.mark.parametrize(
    ("place", "name", "most", "work"),
    [
        (compile, "_MAX_COPIES", 1, lambda: Language.pattern("((?=a)b){2,9}x-1")),
        (states, "MAX_WORK", 3, lambda: Language.pattern(f"{LONG}|x-2").shortest()),
        (states, "MAX_STEPS", 2, lambda: Language.pattern(f"{LONG}|x-3").shortest()),
        (dfa, "MAX_STEPS", 2, lambda: dfa.Dfa(expression.repeat(LETTER, 5, 9), partial=False).size(0, None, 100)),
    ],
)
def test_what_would_take_too_long_is_too_hard(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, most: int, work: Callable[[], object]
) -> None:
    monkeypatch.setattr(place, name, most)
    if place is states:
        monkeypatch.setattr(states, "WORK_PER_TICK", 1)
    with pytest.raises(TooHard):
        work()


def test_of_an_automaton_that_is_too_hard_a_part_is_made_where_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    term = expression.union([LETTER, expression.concat(OTHER, expression.repeat(LETTER, 5, 9))])
    monkeypatch.setattr(states, "MAX_STEPS", 6)
    assert list(dfa.Dfa(term, partial=True).of_length(1)) == ["a"]
    with pytest.raises(TooHard):
        dfa.Dfa(term, partial=False)


def test_a_matcher_that_forgets_its_steps_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "MAX_KNOWN", 1)
    matcher = automaton.Matcher(expression.repeat(expression.concat(LETTER, OTHER), 2, 3))
    assert [matcher.accepts("ab" * times) for times in range(5)] == [False, False, True, True, False]


def test_what_ends_in_a_word_and_is_the_word_is_the_word() -> None:
    assert expression.intersection([expression.concat(expression.ALL, LETTER), LETTER]) is LETTER


def test_the_start_of_a_whole_string_is_where_it_is() -> None:
    assert derivatives.without_start(expression.START) is expression.EMPTY


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (expression.EMPTY, (0, 0)),
        (expression.START, (0, 0)),
        (expression.concat(LETTER, expression.repeat(OTHER, 2, 4)), (3, 5)),
        (expression.union([expression.repeat(LETTER, 2, 3), expression.concat(OTHER, LETTER, OTHER, LETTER)]), (2, 4)),
        (expression.union([expression.repeat(LETTER, 2, None), expression.concat(OTHER, LETTER)]), (2, None)),
        (expression.complement(LETTER), None),
        (expression.concat(OTHER, expression.complement(LETTER)), None),
    ],
)
def test_the_lengths_of_a_term(term: expression.Term, expected: object) -> None:
    assert derivatives.widths(term) == expected


def test_a_group_of_two_digits_is_one_number() -> None:
    """`\\12` asks for a twelfth group, and not for the first one and a `2`."""
    with pytest.raises((NotRegular, InvalidPattern)):
        Language.pattern(r"(a)\12")


def test_the_clock_is_looked_at_between_the_words_of_a_list() -> None:
    ticks: list[None] = []
    with states.watching(lambda: ticks.append(None)):
        kept = list(states.sieved((str(at) for at in range(3 * states.WORDS_PER_TICK)), lambda word: word != "7"))
    assert len(kept) == 3 * states.WORDS_PER_TICK - 1
    assert len(ticks) == 3
