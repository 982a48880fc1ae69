"""Regular expressions closed under every Boolean operation, and their derivatives.

Law: `derivative(t, c)` matches exactly the strings `w` for which `t` matches `cw`. Terms that are alike up to
associativity, commutativity and idempotence of union and intersection are one object, so that a term has finitely many
derivatives: they are the states of its automaton, built only as far as a search walks.

The theory: Brzozowski 1964 (derivatives, and their finiteness up to likeness); Owens, Reppy and Turon 2009 (symbolic
alphabets); Moseley et al., "Derivative based nonbacktracking real-world regex matching with backtracking semantics",
2023 (anchors by what stands before and after a place). A place is described by the kind of the character before it and
of the one after it, which is all that `^`, `$`, `\\b` and `\\B` look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias
from weakref import WeakValueDictionary

from claude_comm.schema import charset
from claude_comm.schema.charset import Chars
from claude_comm.schema.ecma import TooHard

Kind: TypeAlias = Literal["never", "empty", "chars", "then", "repeat", "or", "and", "not", "words", "place", "loop"]

# What may stand beside a place: the edge of the string, a word character, or another one.
Beside: TypeAlias = Literal[0, 1, 2]
Spend: TypeAlias = Callable[[int], None]
EDGE: Beside = 0
IN_WORD: Beside = 1
OFF_WORD: Beside = 2

# What a term's meaning may hang on: the start of the string, its end, or the word characters around a place.
SEES_START, SEES_END, SEES_WORD = 1, 2, 4

# A state this large was met only on patterns made to explode; each step on it would take milliseconds.
MAX_WEIGHT = 50_000


class Term:
    """One regular expression. `nullable` says whether it matches the empty string: None when the place decides."""

    __slots__ = ("__weakref__", "chars", "high", "kind", "low", "name", "nullable", "parts", "sees", "weight", "words")

    kind: Kind
    chars: Chars
    words: frozenset[str]
    name: str
    parts: tuple[Term, ...]
    low: int
    high: int | None
    sees: int
    weight: int
    nullable: bool | None


_known: WeakValueDictionary[object, Term] = WeakValueDictionary()


def _term(
    kind: Kind,
    parts: tuple[Term, ...] = (),
    *,
    nullable: bool | None,
    chars: Chars = (),
    words: frozenset[str] = frozenset(),
    name: str = "",
    low: int = 0,
    high: int | None = 0,
    sees: int = 0,
) -> Term:
    unordered = kind in ("or", "and")
    key = (kind, frozenset(parts) if unordered else parts, chars, words, name, low, high)
    found = _known.get(key)
    if found is not None:
        return found
    term = Term()
    term.kind, term.parts, term.chars, term.words, term.name = kind, parts, chars, words, name
    term.low, term.high, term.nullable, term.sees = low, high, nullable, sees
    term.weight = 1 + sum(part.weight for part in parts) + len(words) // 8
    for part in parts:
        term.sees |= part.sees
    if term.weight > MAX_WEIGHT:
        raise TooHard("an expression grew past its cap")
    return _known.setdefault(key, term)


NEVER = _term("never", nullable=False)
EMPTY = _term("empty", nullable=True)
START = _term("place", name="start", nullable=None, sees=SEES_START)
END = _term("place", name="end", nullable=None, sees=SEES_END)
BOUNDARY = _term("place", name="boundary", nullable=None, sees=SEES_WORD)
INSIDE = _term("place", name="inside", nullable=None, sees=SEES_WORD)


def chars(members: Chars) -> Term:
    return _term("chars", chars=members, nullable=False) if members else NEVER


def words(members: Iterable[str]) -> Term:
    """A finite set of strings as one term: an enumeration of thousands costs one state a shared prefix."""
    held = frozenset(members)
    if not held:
        return NEVER
    return EMPTY if held == {""} else _term("words", words=held, nullable="" in held)


def repeat(item: Term, low: int, high: int | None) -> Term:
    if high == 0 or item is EMPTY:
        return EMPTY
    if item is NEVER:
        return EMPTY if low == 0 else NEVER
    if low == 1 and high == 1:
        return item
    if item.nullable:
        low = 0
    if item.kind == "repeat" and low == 0 and high is None and item.low <= 1 and item.high is None:
        return repeat(item.parts[0], 0, None)
    null = True if low == 0 else item.nullable
    return _term("repeat", (item,), low=low, high=high, nullable=null)


def star(item: Term) -> Term:
    return repeat(item, 0, None)


ALL = star(chars(charset.ANY))


def then(*parts: Term) -> Term:
    """One after the other, leaning to the right so that a long chain is walked by a loop and not by recursion."""
    result = parts[-1] if parts else EMPTY  # leans to the right already
    for part in reversed(parts[:-1]):
        for link in reversed(list(links(part))):
            result = _pair(link, result)
    return result


def links(term: Term) -> Iterator[Term]:
    """The members of a chain, in order; a term that is none is its own only member."""
    while term.kind == "then":
        yield term.parts[0]
        term = term.parts[1]
    yield term


def _pair(head: Term, tail: Term) -> Term:
    if head is NEVER or tail is NEVER:
        return NEVER
    if head is EMPTY:
        return tail
    if tail is EMPTY:
        return head
    first = tail.parts[0] if tail.kind == "then" else tail
    if first is START and head.nullable is not None:
        return tail if head.nullable else NEVER  # nothing may stand before the start
    if head is END and tail.nullable is not None:
        return END if tail.nullable else NEVER  # nor after the end
    if first is head and head.kind == "repeat" and head.low == 0 and head.high is None:
        return tail
    null = None
    if head.nullable is False or tail.nullable is False:
        null = False
    elif head.nullable and tail.nullable:
        null = True
    return _term("then", (head, tail), nullable=null)


def either(parts: Iterable[Term]) -> Term:
    """The union, normal up to likeness: flat, without repeats, sets of characters merged."""
    held = dict.fromkeys(_flat("or", parts))
    held.pop(NEVER, None)
    if ALL in held:
        return ALL
    sets = [part for part in held if part.kind == "chars"]
    if len(sets) > 1:
        for part in sets:
            del held[part]
        held[chars(charset.union(*(part.chars for part in sets)))] = None
    if EMPTY in held and any(part.nullable for part in held if part is not EMPTY):
        del held[EMPTY]
    for part in list(held):
        if part.kind == "not" and part.parts[0] in held:
            return ALL
        if part.kind == "then" and part.parts[0] is ALL:
            held.pop(part.parts[1], None)  # what follows anything holds what stands alone
    if not held:
        return NEVER
    if len(held) == 1:
        return next(iter(held))
    nulls = {part.nullable for part in held}
    return _term("or", tuple(held), nullable=True if True in nulls else None if None in nulls else False)


def both(parts: Iterable[Term]) -> Term:
    """The intersection, normal in the same way."""
    held = dict.fromkeys(_flat("and", parts))
    held.pop(ALL, None)
    if NEVER in held:
        return NEVER
    sets = [part for part in held if part.kind == "chars"]
    if len(sets) > 1:
        for part in sets:
            del held[part]
        common = sets[0].chars
        for part in sets[1:]:
            common = charset.intersect(common, part.chars)
        if not common:
            return NEVER
        held[chars(common)] = None
    nulls = {part.nullable for part in held}
    if EMPTY in held and None not in nulls:
        return NEVER if False in nulls else EMPTY
    for part in list(held):
        if part.kind == "not" and part.parts[0] in held:
            return NEVER
        if part.kind == "then" and part.parts[0] is ALL and part.parts[1] in held:
            held.pop(part, None)
    if not held:
        return ALL
    if len(held) == 1:
        return next(iter(held))
    return _term("and", tuple(held), nullable=False if False in nulls else None if None in nulls else True)


def negate(term: Term) -> Term:
    """The complement, pushed inwards so that what contradicts itself is seen without a search."""
    if term.kind == "not":
        return term.parts[0]
    if term is NEVER:
        return ALL
    if term is ALL:
        return NEVER
    if term.kind == "or":
        return both(negate(part) for part in term.parts)
    if term.kind == "and":
        return either(negate(part) for part in term.parts)
    return _term("not", (term,), nullable=None if term.nullable is None else not term.nullable)


def _flat(kind: Kind, parts: Iterable[Term]) -> Iterator[Term]:
    for part in parts:
        if part.kind == kind:
            yield from part.parts
        else:
            yield part


def loop(sees: int, *, nullable: bool | None) -> Term:
    """A term that is given its body later, by `tie`: what a look-ahead inside a repetition needs.

    The body must consume a character before it comes back to the loop.
    """
    term = Term()
    term.kind, term.parts, term.chars, term.words, term.name = "loop", (), (), frozenset(), ""
    term.low, term.high, term.nullable, term.sees, term.weight = 0, None, nullable, sees, 1
    return term


def tie(term: Term, body: Term) -> None:
    term.parts = (body,)


def beside(code: int) -> Beside:
    return IN_WORD if charset.contains(charset.WORD, code) else OFF_WORD


def matches_empty(term: Term, before: Beside, after: Beside) -> bool:
    """Whether `term` matches the empty string at a place between `before` and `after`."""
    if term.nullable is not None:
        return term.nullable
    match term.kind:
        case "place":
            return _holds(term.name, before, after)
        case "then":
            return all(matches_empty(part, before, after) for part in links(term))
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
    return ((before == IN_WORD) != (after == IN_WORD)) == (name == "boundary")


def derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    """What must follow once the character `code` has been read at a place that `before` stands in front of.

    `spend` is told of the work as it is done, so that a budget can stop it inside one large step.
    """
    spend(len(term.parts) or 1)
    match term.kind:
        case "chars":
            return EMPTY if charset.contains(term.chars, code) else NEVER
        case "then":
            return _chain_derivative(term, code, before, spend)
        case "repeat":
            return _repeat_derivative(term, code, before, spend)
        case "or":
            return either([derivative(part, code, before, spend) for part in term.parts])
        case "and":
            found = []
            for part in term.parts:
                found.append(derivative(part, code, before, spend))
                if found[-1] is NEVER:
                    return NEVER
            return both(found)
        case "not":
            return negate(derivative(term.parts[0], code, before, spend))
        case "words":
            char = chr(code)
            return words(word[1:] for word in term.words if word[:1] == char)
        case "loop":
            return derivative(term.parts[0], code, before, spend)
        case _:  # "never", "empty" and "place"
            return NEVER


def _chain_derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    found, after = [], beside(code)
    while term.kind == "then":
        head, tail = term.parts
        spend(1)
        first = derivative(head, code, before, spend)
        if first is not NEVER:
            found.append(then(first, tail))
        if not matches_empty(head, before, after):
            return either(found)
        term = tail
    found.append(derivative(term, code, before, spend))
    return either(found)


def _repeat_derivative(term: Term, code: int, before: Beside, spend: Spend) -> Term:
    item = term.parts[0]
    first = derivative(item, code, before, spend)
    if first is NEVER:
        return NEVER
    high = None if term.high is None else term.high - 1
    # Where the item matches nothing at this very place, the turns that are still owed may all be taken empty.
    low = 0 if matches_empty(item, before, beside(code)) else max(term.low - 1, 0)
    return then(first, repeat(item, low, high))


def firsts(term: Term) -> frozenset[Chars]:
    """Sets of characters such that two characters in the same ones give the same derivative."""
    found: set[Chars] = set()
    pending, seen = [term], set[Term]()
    while pending:
        term = pending.pop()
        if term in seen:
            continue
        seen.add(term)
        if term.kind == "chars":
            found.add(term.chars)
        elif term.kind == "words":
            found.update(charset.single(ord(word[0])) for word in term.words if word)
        elif term.kind == "then":
            pending.append(term.parts[0])
            if term.parts[0].nullable is not False:
                pending.append(term.parts[1])
        else:
            pending.extend(term.parts)
        if term.sees & SEES_WORD:
            found.add(charset.WORD)
    return frozenset(found)


def settled(term: Term) -> Term:
    """The same term at a place where the start of the string lies behind: `^` can no longer match."""
    if not term.sees & SEES_START:
        return term
    match term.kind:
        case "place":
            return NEVER
        case "then":
            return then(*[settled(part) for part in links(term)])
        case "or":
            return either([settled(part) for part in term.parts])
        case "and":
            return both([settled(part) for part in term.parts])
        case "not":
            return negate(settled(term.parts[0]))
        case "repeat":
            return repeat(settled(term.parts[0]), term.low, term.high)
        case _:
            return term


def opened(term: Term) -> Term:
    """The same language for whole strings: a `^` that can only stand at the start is dropped."""
    if term is START:
        return EMPTY
    if term.kind == "then" and term.parts[0] is START:
        return opened(term.parts[1])
    return _inside(term, opened)


def closed(term: Term) -> Term:
    """The same language for whole strings: a `$` that can only stand at the end is dropped."""
    if term is END:
        return EMPTY
    if term.kind == "then":
        chain = list(links(term))
        last = closed(chain[-1])
        return term if last is chain[-1] else closed(then(*chain[:-1], last))
    return _inside(term, closed)


def _inside(term: Term, change: Callable[[Term], Term]) -> Term:
    match term.kind:
        case "or":
            return either([change(part) for part in term.parts])
        case "and":
            return both([change(part) for part in term.parts])
        case "not":
            return negate(change(term.parts[0]))
        case _:
            return term


def widths(term: Term) -> tuple[int, int | None] | None:
    """The least and the greatest length that `term` may match, where that is plain to see; None where it is not."""
    match term.kind:
        case "empty" | "place":
            return 0, 0
        case "chars":
            return 1, 1
        case "then" | "or" | "repeat":
            return _composed_widths(term)
        case _:
            return None


def _composed_widths(term: Term) -> tuple[int, int | None] | None:
    found = [widths(part) for part in (links(term) if term.kind == "then" else term.parts)]
    known = [pair for pair in found if pair is not None]
    if len(known) < len(found):
        return None
    lows, highs = [low for low, _ in known], [high for _, high in known]
    bounded = [high for high in highs if high is not None]
    endless = len(bounded) < len(highs)
    if term.kind == "then":
        return sum(lows), None if endless else sum(bounded)
    if term.kind == "or":
        return min(lows), None if endless else max(bounded)
    return lows[0] * term.low, None if endless or term.high is None else bounded[0] * term.high
