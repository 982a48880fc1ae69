"""Regular expressions closed under every Boolean operation, in normal form.

Law: every constructor keeps the language and gives the normal form of its arguments. Terms that are alike up to
associativity, commutativity and idempotence of union and intersection are one object, which is what makes the
derivatives of a term finitely many (Brzozowski 1964, theorem 5.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias
from weakref import WeakValueDictionary

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.errors import TooHard

Kind: TypeAlias = Literal["never", "empty", "chars", "concat", "repeat", "or", "and", "not", "words", "place", "loop"]

# What a term's meaning may hang on: the start of the string, its end, or the word characters around a place; and
# whether those are the ones of every script.
SEES_START, SEES_END, SEES_WORD, SEES_WIDE = 1, 2, 4, 8

# A state this large was met only on patterns made to explode; each step on it would take milliseconds.
MAX_WEIGHT = 50_000
# How deep terms may nest, chains not counted: what recurses over them stays far from the interpreter's limit.
MAX_DEPTH = 200


class Term:
    """One regular expression. `nullable` says whether it matches the empty string: None when the place decides."""

    __slots__ = (
        *("__weakref__", "chars", "depth", "high", "kind", "low"),
        *("name", "nullable", "parts", "sees", "weight", "words"),
    )

    kind: Kind
    chars: Chars
    words: frozenset[str]
    name: str
    parts: tuple[Term, ...]
    low: int
    high: int | None
    sees: int
    weight: int
    depth: int
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
    known = _known.get(key)
    if known is not None:
        return known
    term = Term()
    term.kind, term.parts, term.chars, term.words, term.name = kind, parts, chars, words, name
    term.low, term.high, term.nullable, term.sees = low, high, nullable, sees
    term.weight = 1 + sum(part.weight for part in parts) + len(words) // 8
    for part in parts:
        term.sees |= part.sees
    term.depth = 1 + max((part.depth for part in parts), default=0)
    if kind == "concat" and parts[1].kind == "concat":
        term.depth = max(parts[0].depth + 1, parts[1].depth)  # a chain is walked by a loop
    if term.weight > MAX_WEIGHT or term.depth > MAX_DEPTH:
        raise TooHard("an expression grew past its cap")
    return _known.setdefault(key, term)


NEVER = _term("never", nullable=False)
EMPTY = _term("empty", nullable=True)
START = _term("place", name="start", nullable=None, sees=SEES_START)
END = _term("place", name="end", nullable=None, sees=SEES_END)
BOUNDARY = _term("place", name="boundary", nullable=None, sees=SEES_WORD)
INSIDE = _term("place", name="inside", nullable=None, sees=SEES_WORD)
WIDE_BOUNDARY = _term("place", name="wide boundary", nullable=None, sees=SEES_WORD | SEES_WIDE)
WIDE_INSIDE = _term("place", name="wide inside", nullable=None, sees=SEES_WORD | SEES_WIDE)
WORD_START = _term("place", name="word start", nullable=None, sees=SEES_WORD | SEES_WIDE)
WORD_END = _term("place", name="word end", nullable=None, sees=SEES_WORD | SEES_WIDE)


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


def concat(*parts: Term) -> Term:
    """One after the other, leaning to the right so that a long chain is walked by a loop and not by recursion."""
    result = parts[-1] if parts else EMPTY  # leans to the right already
    for part in reversed(parts[:-1]):
        for link in reversed(list(factors(part))):
            result = _pair(link, result)
    return result


def factors(term: Term) -> Iterator[Term]:
    """The members of a chain, in order; a term that is none is its own only member."""
    while term.kind == "concat":
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
    first = tail.parts[0] if tail.kind == "concat" else tail
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
    return _term("concat", (head, tail), nullable=null)


def union(parts: Iterable[Term]) -> Term:
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
        if part.kind == "concat" and part.parts[0] is ALL:
            held.pop(part.parts[1], None)  # what follows anything holds what stands alone
    if not held:
        return NEVER
    if len(held) == 1:
        return next(iter(held))
    nulls = {part.nullable for part in held}
    return _term("or", tuple(held), nullable=True if True in nulls else None if None in nulls else False)


def intersection(parts: Iterable[Term]) -> Term:
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
        if part.kind == "concat" and part.parts[0] is ALL and part.parts[1] in held:
            held.pop(part, None)
    if not held:
        return ALL
    if len(held) == 1:
        return next(iter(held))
    return _term("and", tuple(held), nullable=False if False in nulls else None if None in nulls else True)


def complement(term: Term) -> Term:
    """The complement, pushed inwards so that what contradicts itself is seen without a search."""
    if term.kind == "not":
        return term.parts[0]
    if term is NEVER:
        return ALL
    if term is ALL:
        return NEVER
    if term.kind == "or":
        return intersection(complement(part) for part in term.parts)
    if term.kind == "and":
        return union(complement(part) for part in term.parts)
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
    term.low, term.high, term.nullable, term.sees, term.weight, term.depth = 0, None, nullable, sees, 1, 1
    return term


def bind(term: Term, body: Term) -> None:
    term.parts, term.depth = (body,), body.depth + 1
