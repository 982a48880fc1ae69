"""The derivatives of a term, and what else is read off it place by place.

Law: `derivative(t, c)` matches exactly the strings `w` for which `t` matches `cw`. So the derivatives of a term are the
states of its automaton (`states`), and are built only as far as a search walks.

Theory of operation. A term is derived by structure: a set of characters by one of them is the empty string, a union is
derived by alternative, and so are an intersection and a complement, which is what makes Boolean operations as cheap as
the others. A concatenation `st` gives `s't`, and `t'` besides where `s` matches the empty string.

`^`, `$`, `\\b` and `\\B` match the empty string at some places and not at others. A place is described by the kind of
the character before it and of the one after it (the edge of the string, a word character of ASCII or of another
script, another one), which is all that they look at. So whether a term matches the empty string is asked for a place,
and a state remembers the kind of the character before it.

Worked example: `ab*` derived by `a`. The head `a` gives the empty string, so the result is `b*`; `b*` by `b` is `b*`
again, and by anything else nothing. With the first term these are three states, of which `b*` accepts.

References: Brzozowski, JACM 11(4), 1964 (derivatives); Owens, Reppy and Turon, "Regular-expression derivatives
re-examined", JFP 19(2), 2009 (classes of characters); Moseley et al., "Derivative Based Nonbacktracking Real-World
Regex Matching with Backtracking Semantics", PLDI 2023 (anchors by what stands before and after a place).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import unicode_word
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.expression import (
    EMPTY,
    END,
    NEVER,
    SEES_START,
    SEES_WIDE,
    SEES_WORD,
    START,
    Term,
    complement,
    concat,
    factors,
    intersection,
    repeat,
    union,
    words,
)

# What may stand beside a place: the edge of the string, a word character of ASCII, one of another script, or no such.
Beside: TypeAlias = Literal[0, 1, 2, 3]
Spend: TypeAlias = Callable[[int], None]
EDGE: Beside = 0
IN_WORD: Beside = 1
OFF_WORD: Beside = 2
WIDE_WORD: Beside = 3


def beside(code: int, sees: int) -> Beside:
    """The kind of a character, as far as a term that `sees` such kinds tells them apart."""
    if charset.contains(charset.WORD, code):
        return IN_WORD
    wide = sees & SEES_WIDE and code > 0x7F and charset.contains(unicode_word(), code)
    return WIDE_WORD if wide else OFF_WORD


def matches_empty(term: Term, before: Beside, after: Beside) -> bool:
    """Whether `term` matches the empty string at a place between `before` and `after`."""
    if term.nullable is not None:
        return term.nullable
    match term.kind:
        case "place":
            return _holds(term.name, before, after)
        case "concat":
            return all(matches_empty(part, before, after) for part in factors(term))
        case "or":
            return any(matches_empty(part, before, after) for part in term.parts)
        case "not":
            return not matches_empty(term.parts[0], before, after)
        case _:  # "and", "repeat" and "loop"
            return all(matches_empty(part, before, after) for part in term.parts)


def _holds(name: str, before: Beside, after: Beside) -> bool:
    if name == "start":
        return before == EDGE
    if name == "end":
        return after == EDGE
    match name:
        case "boundary" | "inside":
            return ((before == IN_WORD) != (after == IN_WORD)) == (name == "boundary")
        case "wide boundary" | "wide inside":
            return (_in_word(before) != _in_word(after)) == (name == "wide boundary")
        case "word start":
            return not _in_word(before) and _in_word(after)
        case _:  # "word end"
            return _in_word(before) and not _in_word(after)


def _in_word(kind: Beside) -> bool:
    return kind in (IN_WORD, WIDE_WORD)


def derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    """What must follow once the character `code` has been read at a place that `before` stands in front of.

    `spend` is told of the work as it is done, so that a budget can stop it inside one large step.
    """
    spend(len(term.parts) or 1)
    match term.kind:
        case "chars":
            return EMPTY if charset.contains(term.chars, code) else NEVER
        case "concat":
            return _chain_derivative(term, code, before, spend)
        case "repeat":
            return _repeat_derivative(term, code, before, spend)
        case "or":
            return union([derivative(part, code, before, spend) for part in term.parts])
        case "and":
            derivatives = []
            for part in term.parts:
                derivatives.append(derivative(part, code, before, spend))
                if derivatives[-1] is NEVER:
                    return NEVER
            return intersection(derivatives)
        case "not":
            return complement(derivative(term.parts[0], code, before, spend))
        case "words":
            char = chr(code)
            return words(word[1:] for word in term.words if word[:1] == char)
        case "loop":
            return derivative(term.parts[0], code, before, spend)
        case _:  # "never", "empty" and "place"
            return NEVER


def _chain_derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    alternatives, after = [], beside(code, term.sees)
    while term.kind == "concat":
        head, tail = term.parts
        spend(1)
        first = derivative(head, code, before, spend)
        if first is not NEVER:
            alternatives.append(concat(first, tail))
        if not matches_empty(head, before, after):
            return union(alternatives)
        term = tail
    alternatives.append(derivative(term, code, before, spend))
    return union(alternatives)


def _repeat_derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    item = term.parts[0]
    first = derivative(item, code, before, spend)
    if first is NEVER:
        return NEVER
    high = None if term.high is None else term.high - 1
    # Where the item matches nothing at this very place, the turns that are still owed may all be taken empty.
    low = 0 if matches_empty(item, before, beside(code, term.sees)) else max(term.low - 1, 0)
    return concat(first, repeat(item, low, high))


def first_sets(term: Term) -> frozenset[Chars]:
    """Sets of characters such that two characters in the same ones give the same derivative."""
    sets: set[Chars] = set()
    pending, seen = [term], set[Term]()
    while pending:
        term = pending.pop()
        if term in seen:
            continue
        seen.add(term)
        if term.kind == "chars":
            sets.add(term.chars)
        elif term.kind == "words":
            sets.update(charset.single(ord(word[0])) for word in term.words if word)
        elif term.kind == "concat":
            pending.append(term.parts[0])
            if term.parts[0].nullable is not False:
                pending.append(term.parts[1])
        else:
            pending.extend(term.parts)
        if term.sees & SEES_WORD:
            sets.add(charset.WORD)
        if term.sees & SEES_WIDE:
            sets.add(unicode_word())
    return frozenset(sets)


def past_start(term: Term) -> Term:
    """The same term at a place where the start of the string lies behind: `^` can no longer match."""
    if not term.sees & SEES_START:
        return term
    match term.kind:
        case "place":
            return NEVER
        case "concat":
            return concat(*[past_start(part) for part in factors(term)])
        case "or":
            return union([past_start(part) for part in term.parts])
        case "and":
            return intersection([past_start(part) for part in term.parts])
        case "not":
            return complement(past_start(term.parts[0]))
        case "repeat":
            return repeat(past_start(term.parts[0]), term.low, term.high)
        case _:
            return term


def without_start(term: Term) -> Term:
    """The same language for whole strings: a `^` that can only stand at the start is dropped."""
    if term is START:
        return EMPTY
    if term.kind == "concat" and term.parts[0] is START:
        return without_start(term.parts[1])
    return _inside(term, without_start)


def without_end(term: Term) -> Term:
    """The same language for whole strings: a `$` that can only stand at the end is dropped."""
    if term is END:
        return EMPTY
    if term.kind == "concat":
        chain = list(factors(term))
        last = without_end(chain[-1])
        return term if last is chain[-1] else without_end(concat(*chain[:-1], last))
    return _inside(term, without_end)


def _inside(term: Term, change: Callable[[Term], Term]) -> Term:
    match term.kind:
        case "or":
            return union([change(part) for part in term.parts])
        case "and":
            return intersection([change(part) for part in term.parts])
        case "not":
            return complement(change(term.parts[0]))
        case _:
            return term


def widths(term: Term) -> tuple[int, int | None] | None:
    """The least and the greatest length that `term` may match, where that is plain to see; None where it is not."""
    match term.kind:
        case "empty" | "place":
            return 0, 0
        case "chars":
            return 1, 1
        case "concat" | "or" | "repeat":
            return _composed_widths(term)
        case _:
            return None


def _composed_widths(term: Term) -> tuple[int, int | None] | None:
    pairs = [widths(part) for part in (factors(term) if term.kind == "concat" else term.parts)]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None
    lows, highs = [low for low, _ in known], [high for _, high in known]
    bounded = [high for high in highs if high is not None]
    endless = len(bounded) < len(highs)
    if term.kind == "concat":
        return sum(lows), None if endless else sum(bounded)
    if term.kind == "or":
        return min(lows), None if endless else max(bounded)
    return lows[0] * term.low, None if endless or term.high is None else bounded[0] * term.high
