"""Regular languages of Unicode strings, closed under every Boolean operation, with witnesses.

Law: no answer is a guess. What is not regular, is not a pattern or does not end within its caps raises a
`LanguageError`; every other answer is exact over all strings of code points (lone surrogates included).

Why this is not a library. greenery 4.2 and interegular 0.3 cannot read anchors, `\\b` or look-aheads inside a pattern;
greenery, interegular and automata-lib 9.2 determinise first, one edge or state a counted character:
`[a-z]{1,1000}` within `[a-z0-9]{1,2000}` took over 10 s, 0.4 s and 1.1 s, and `(a|b)*a(a|b){20}` over 10 s; here the
first takes under 1 ms and the second is only walked as far as a question needs. None follows ECMA-262.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice

from claude_comm.schema.regex import automaton, charset, derivatives, expression, parser
from claude_comm.schema.regex.compile import search_language
from claude_comm.schema.regex.dfa import Dfa
from claude_comm.schema.regex.errors import InvalidPattern, LanguageError, NotRegular, TooHard
from claude_comm.schema.regex.expression import Term
from claude_comm.schema.regex.parser import Reading
from claude_comm.schema.regex.states import MAX_STATES, sieved, watching

__all__ = ["InvalidPattern", "Language", "LanguageError", "NotRegular", "TooHard", "watching"]

Piece = tuple[int, "int | None", Term]
_EVERY: tuple[Piece, ...] = ((0, None, expression.ALL),)

# A counted character class beyond this is turned into a bound on the length, which costs no states.
_LONG_COUNT = 16
# How many lengths `members` samples before it fills up from the shortest ones.
_VARIED_LENGTHS = 12
# Above this many characters one member stands for all: listing more would take memory, and nobody reads them.
_LONG_MEMBER = 10_000


class Language:
    """An immutable set of strings.

    It is held as pieces: `(low, high, term)`, with disjoint ascending ranges of length that cover every length. A
    string of a length in the range is a member when the term matches it. Boolean operations go piece by piece, so that
    lengths are arithmetic and never states. A finite set that was given as such also keeps its `words`.
    """

    __slots__ = ("_matchers", "_pieces", "_words")

    def __init__(self, pieces: tuple[Piece, ...] | None, words: frozenset[str] | None = None) -> None:
        self._pieces, self._words = pieces, words
        self._matchers: dict[Term, automaton.Matcher] = {}

    @classmethod
    def pattern(cls, source: str, *, reading: Reading = "ecma") -> Language:
        """The strings in which `source`, an ECMA-262 regular expression with the `u` flag, is found anywhere.

        `reading="runtime"` is that of the validator at run time, where it departs from ECMA-262 (see `parser.parse`).
        Where verdicts must hold for both, ask both ways.
        Raises `InvalidPattern`, `NotRegular` or `TooHard`.
        """
        return _pattern(source, reading)

    @classmethod
    def literals(cls, strings: Iterable[str]) -> Language:
        return cls(None, frozenset(strings))

    @classmethod
    def lengths(cls, minimum: int, maximum: int | None) -> Language:
        """The strings of `minimum` to `maximum` code points; `maximum` None has no upper end."""
        minimum = max(minimum, 0)
        if maximum is not None and maximum < minimum:
            return cls.nothing()
        pieces: list[Piece] = [(minimum, maximum, expression.ALL)]
        if minimum > 0:
            pieces.insert(0, (0, minimum - 1, expression.NEVER))
        if maximum is not None:
            pieces.append((maximum + 1, None, expression.NEVER))
        return cls(tuple(pieces))

    @classmethod
    def everything(cls) -> Language:
        return cls(_EVERY)

    @classmethod
    def nothing(cls) -> Language:
        return cls(((0, None, expression.NEVER),), frozenset())

    @property
    def pieces(self) -> tuple[Piece, ...]:
        if self._pieces is None:
            assert self._words is not None
            self._pieces = ((0, None, expression.words(self._words)),)
        return self._pieces

    def __and__(self, other: Language) -> Language:
        if self._words is not None:
            if other._pieces == _EVERY:
                return self
            return Language.literals(sieved(self._words, other.accepts))
        if other._words is not None:
            return other & self
        return Language(_combined(self.pieces, other.pieces, expression.intersection))

    def __or__(self, other: Language) -> Language:
        if self._words is not None and other._words is not None:
            return Language.literals(self._words | other._words)
        return Language(_combined(self.pieces, other.pieces, expression.union))

    def __sub__(self, other: Language) -> Language:
        if self._words is not None:
            return Language.literals(sieved(self._words, lambda word: not other.accepts(word)))
        return self & ~other

    def __invert__(self) -> Language:
        return Language(_merged((low, high, expression.complement(term)) for low, high, term in self.pieces))

    def is_empty(self) -> bool:
        if self._words is not None:
            return not self._words
        return all(automaton.is_empty(term, low, high) for low, high, term in self.pieces)

    def includes(self, other: Language) -> bool:
        """Whether every member of `other` is a member of this one."""
        return (other - self).is_empty()

    def accepts(self, string: str) -> bool:
        if self._words is not None:
            return string in self._words
        term = next(term for _, high, term in self.pieces if high is None or len(string) <= high)
        matcher = self._matchers.get(term)
        if matcher is None:
            matcher = self._matchers[term] = automaton.Matcher(term)
        return matcher.accepts(string)

    def shortest(self) -> str | None:
        """A shortest member, of readable characters where it may be; None when there is no member."""
        if self._words is not None:
            return min(self._words, key=_reading_order, default=None)
        candidates = (automaton.shortest(term, low, high) for low, high, term in self.pieces)
        return next((member for member in candidates if member is not None), None)

    def members(self, limit: int) -> list[str]:
        """Up to `limit` members, shortest first: all of them if there are no more, else varied in length and kind.

        Fewer where some are very long, or the automaton is too large to be made: `size` tells whether these are all.
        """
        if self._words is not None:
            return sorted(self._words, key=_reading_order)[:limit]
        per_length = max(1, limit // 4)
        sources: list[Iterator[str]] = []
        members: list[str] = []
        lengths = self._by_length()
        for source in lengths:
            taken = list(islice(source, min(per_length, limit - len(members))))
            if taken:
                sources.append(source)
                members += taken
            if len(members) >= limit or len(sources) >= _VARIED_LENGTHS:
                break
        members += islice(chain.from_iterable(chain(sources, lengths)), limit - len(members))
        return sorted(members, key=len)

    def size(self, limit: int) -> int | None:
        """How many members there are; None if more than `limit`."""
        if self._words is not None:
            return len(self._words) if len(self._words) <= limit else None
        total = 0
        for low, high, term in self.pieces:
            if term is expression.NEVER:
                continue
            count = Dfa(term, partial=False).size(low, high, limit - total)
            if count is None:
                return None
            total += count
        return total

    def _by_length(self) -> Iterator[Iterator[str]]:
        """One source of members for each length that may have some, from the shortest."""
        for low, high, term in self.pieces:
            if term is expression.NEVER:
                continue
            if low > _LONG_MEMBER:
                member = automaton.shortest(term, low, high)
                yield iter(() if member is None else (member,))
                continue
            dfa = Dfa(term, partial=True)
            last = len(dfa.edges) if dfa.is_finite() else low + MAX_STATES
            for length in range(low, (last if high is None else min(high, last)) + 1):
                yield dfa.of_length(length)


@lru_cache(maxsize=64)
def _pattern(source: str, reading: Reading) -> Language:
    try:
        term = search_language(parser.parse(source, reading=reading))
    except RecursionError:
        raise TooHard("a pattern nested too deeply") from None
    low, high, term = _lengthened(term)
    return Language(_combined(((0, None, term),), Language.lengths(low, high).pieces, expression.intersection))


def _lengthened(term: Term) -> Piece:
    """`term` with a long counted class made endless, and the bounds on the length that say the same.

    Only where everything else has one width: then the length of the string tells how often the class was used.
    """
    factors = list(expression.factors(term))
    elastic = [
        at
        for at, link in enumerate(factors)
        if link.kind == "repeat" and link.parts[0].kind == "chars" and max(link.low, link.high or 0) > _LONG_COUNT
    ]
    if len(elastic) != 1 or term.sees:
        return 0, None, term
    at = elastic[0]
    others = [derivatives.widths(link) for link in (*factors[:at], *factors[at + 1 :])]
    if any(width is None or width[0] != width[1] for width in others):
        return 0, None, term
    fixed = sum(width[0] for width in others if width is not None)
    counted = factors[at]
    factors[at] = expression.star(counted.parts[0])
    return fixed + counted.low, None if counted.high is None else fixed + counted.high, expression.concat(*factors)


def _combined(
    left: tuple[Piece, ...], right: tuple[Piece, ...], operation: Callable[[Iterable[Term]], Term]
) -> tuple[Piece, ...]:
    """`operation` on every range of lengths that neither side divides further."""
    cuts = sorted({low for low, _, _ in (*left, *right)})
    pieces: list[Piece] = []
    i = j = 0
    for low, following in zip(cuts, [*cuts[1:], None], strict=True):
        while i + 1 < len(left) and left[i + 1][0] <= low:
            i += 1
        while j + 1 < len(right) and right[j + 1][0] <= low:
            j += 1
        high = None if following is None else following - 1
        pieces.append((low, high, operation((left[i][2], right[j][2]))))
    return _merged(pieces)


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    merged: list[Piece] = []
    for low, high, term in pieces:
        if merged and merged[-1][2] is term:
            merged[-1] = (merged[-1][0], high, term)
        else:
            merged.append((low, high, term))
    return tuple(merged)


def _reading_order(word: str) -> tuple[int, list[int], str]:
    return len(word), [charset.rank(ord(char)) for char in word], word
