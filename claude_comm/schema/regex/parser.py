"""The `pattern` keyword's language: ECMA-262 regular expressions with the `u` flag, read into a small tree.

Law: what is read means what ECMA-262 §22.2 says it means, over code points. Annex B's leniency is followed where real
validators follow it too (a lone `]` or `}`, an escaped punctuation mark). What ECMA-262 refuses and some validator
reads in a way of its own (`\\A`, `(?i)`, `a{,3}`, possessive quantifiers) is `NotRegular`: no verdict rests on it.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import categories, general_category, unicode_word
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.errors import InvalidPattern, NotRegular, TooHard

# A person's pattern has tens of characters and a handful of groups; a generated one of this size is an attack.
MAX_SOURCE_CHARS = 10_000
MAX_DEPTH = 50
MAX_COUNT_DIGITS = 9

# By ECMA-262, or as the run-time validator does where it departs from it.
Reading: TypeAlias = Literal["ecma", "runtime"]


class Set(msgspec.Struct, frozen=True):
    """One character out of `chars`."""

    chars: Chars


class Sequence(msgspec.Struct, frozen=True):
    items: tuple[Node, ...]


class Choice(msgspec.Struct, frozen=True):
    options: tuple[Node, ...]


class Repeat(msgspec.Struct, frozen=True):
    """`item`, from `minimum` times to `maximum` (None: without end). Lazy or greedy is the same language."""

    item: Node
    minimum: int
    maximum: int | None


class Assert(msgspec.Struct, frozen=True):
    """A place between two characters."""

    kind: Literal["start", "end", "boundary", "inside", "wide boundary", "wide inside", "word start", "word end"]


class Look(msgspec.Struct, frozen=True):
    """What must, or must not, follow (`ahead`) or precede (`behind`) this place."""

    side: Literal["ahead", "behind"]
    wanted: bool
    body: Node


Node: TypeAlias = Set | Sequence | Choice | Repeat | Assert | Look

EMPTY = Sequence(())
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
# In the run-time validator's reading words are made of the letters of every script, and have a start and an end.
_ASSERTIONS: dict[Reading, dict[str, Assert]] = {
    "ecma": {"b": Assert("boundary"), "B": Assert("inside")},
    "runtime": {
        "b": Assert("wide boundary"),
        "B": Assert("wide inside"),
        "<": Assert("word start"),
        ">": Assert("word end"),
    },
}
_LOOKS: dict[str, tuple[Literal["ahead", "behind"], bool]] = {
    "(?=": ("ahead", True),
    "(?!": ("ahead", False),
    "(?<=": ("behind", True),
    "(?<!": ("behind", False),
}


def parse(source: str, *, reading: Reading = "ecma") -> Node:
    """The tree of `source`.

    The readings differ in four things: `.` of ECMA-262 leaves out `\\n`, `\\r`, `\\u2028` and `\\u2029`, that of the
    run-time validator `\\n` alone; words beside `\\b` and `\\B` are of ASCII in the one and of every script in the
    other; `\\<` and `\\>` are the two characters in the one, and the start and the end of a word in the other; and in a
    pattern with look-around, `\\d`, `\\w` and `\\s` are classes of Unicode in the other.
    Raises `InvalidPattern`, `NotRegular` (back-references; what validators read differently) or `TooHard` (caps).
    """
    if len(source) > MAX_SOURCE_CHARS:
        raise TooHard(f"a pattern of {len(source):,} characters; the limit is {MAX_SOURCE_CHARS:,}")
    parser = _Parser(source, reading)
    tree = parser.whole()
    if reading == "runtime" and parser.looks:
        return _Parser(source, reading, _unicode_classes()).whole()
    return tree


def _classes(digit: Chars, word: Chars, space: Chars) -> dict[str, Chars]:
    positive = {"d": digit, "w": word, "s": space}
    return {**positive, **{name.upper(): charset.invert(chars) for name, chars in positive.items()}}


_ECMA_CLASSES = _classes(charset.DIGIT, charset.WORD, charset.SPACE)


@functools.cache
def _unicode_classes() -> dict[str, Chars]:
    return _classes(categories()["Nd"], unicode_word(), charset.WHITE_SPACE)


class _Parser:
    """A recursive-descent reader: one method a production, `at` the next character."""

    def __init__(self, source: str, reading: Reading, classes: Mapping[str, Chars] | None = None) -> None:
        self.source, self.at, self.depth = source, 0, 0
        self.classes, self.looks = _ECMA_CLASSES if classes is None else classes, False
        self.groups, self.names = 0, set[str]()
        self.numbered, self.named = 0, set[str]()
        self.dot = charset.invert(charset.LINE_ENDS if reading == "ecma" else charset.single(0x0A))
        self.assertions = _ASSERTIONS[reading]

    def whole(self) -> Node:
        node = self.choice()
        if self.at < len(self.source):
            raise InvalidPattern(f"unmatched ')' at {self.at}")
        if self.numbered > self.groups or self.named - self.names:
            raise InvalidPattern("a back-reference to a group that does not exist")
        if self.numbered or self.named:
            raise NotRegular("a back-reference is not regular")
        return node

    def peek(self, text: str) -> bool:
        return self.source.startswith(text, self.at)

    def eat(self, text: str) -> bool:
        if not self.source.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def take(self, what: str) -> str:
        if self.at >= len(self.source):
            raise InvalidPattern(f"the pattern ends inside {what}")
        self.at += 1
        return self.source[self.at - 1]

    def choice(self) -> Node:
        options = [self.sequence()]
        while self.eat("|"):
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Node:
        items: list[Node] = []
        while self.at < len(self.source) and self.source[self.at] not in "|)":
            items.append(self.quantified())
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def quantified(self) -> Node:
        item = self.atom()
        bounds = self.quantifier()
        if bounds is None:
            return item
        self.eat("?")
        if self.peek("+"):
            raise NotRegular("a possessive quantifier is not ECMA-262, and validators read it differently")
        minimum, maximum = bounds
        if maximum is not None and maximum < minimum:
            raise InvalidPattern(f"a quantifier out of order: {{{minimum},{maximum}}}")
        return Repeat(item, minimum, maximum)

    def quantifier(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.eat(mark):
                return bounds
        return self.counted() if self.peek("{") else None

    def counted(self) -> tuple[int, int | None] | None:
        """`{m}`, `{m,}` or `{m,n}`; a brace that opens none of them is left, to be read as itself (Annex B)."""
        close = self.source.find("}", self.at)
        low, comma, high = self.source[self.at + 1 : max(close, self.at + 1)].partition(",")
        if close < 0 or not _is_count(low) or not (high == "" or _is_count(high)):
            if close >= 0 and low == "" and _is_count(high):
                raise NotRegular("`{,n}` is text in ECMA-262 and a count elsewhere")
            return None
        if max(len(low), len(high)) > MAX_COUNT_DIGITS:
            raise TooHard(f"a count of {max(len(low), len(high)):,} digits")
        self.at = close + 1
        return int(low), int(high) if high else (None if comma else int(low))

    def atom(self) -> Node:
        char = self.take("an atom")
        match char:
            case "^":
                return Assert("start")
            case "$":
                return Assert("end")
            case ".":
                return Set(self.dot)
            case "(":
                return self.group()
            case "[":
                return Set(self.bracket())
            case "\\":
                return self.escaped()
            case "*" | "+" | "?":
                raise InvalidPattern(f"nothing to repeat at {self.at - 1}")
            case "{":
                self.at -= 1
                if self.counted() is not None:
                    raise InvalidPattern(f"nothing to repeat at {self.at}")
                self.at += 1
        return Set(charset.single(ord(char)))

    def group(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooHard(f"groups nested deeper than {MAX_DEPTH}")
        self.at -= 1
        opening = next((text for text in ("(?<=", "(?<!", "(?=", "(?!", "(?:", "(?<") if self.eat(text)), None)
        if opening == "(?<":
            name = self.name()
            if name in self.names:
                raise InvalidPattern(f"two groups are called {name[:40]!r}")
            self.names.add(name)
        if opening is None:
            if self.peek("(?"):
                raise NotRegular(f"`{self.source[self.at : self.at + 4]}` is not ECMA-262 everywhere validators run")
            self.eat("(")
        if opening in (None, "(?<"):
            self.groups += 1
        body = self.choice()
        if not self.eat(")"):
            raise InvalidPattern("a group is not closed")
        self.depth -= 1
        if opening in _LOOKS:
            side, wanted = _LOOKS[opening]
            self.looks = True
            return Look(side, wanted, body)
        return body

    def name(self) -> str:
        end = self.source.find(">", self.at)
        name = self.source[self.at : max(end, self.at)]
        if not name.isidentifier():
            raise InvalidPattern(f"a group name that cannot be used: {name[:40]!r}")
        self.at = end + 1
        return name

    def escaped(self) -> Node:
        char = self.take("an escape")
        if char in self.assertions:
            if char == "b" and self.peek("{") and not _is_count(self.source[self.at + 1 : self.at + 2]):
                raise NotRegular("`\\b{` is a bound of words to some validators, and no pattern to others")
            return self.assertions[char]
        if char == "k":
            if not self.eat("<"):
                raise InvalidPattern("`\\k` without a group name")
            self.named.add(self.name())
            return EMPTY
        if char in "123456789":
            digits = char
            while self.at < len(self.source) and self.source[self.at] in string.digits:
                digits += self.take("an escape")
            self.numbered = max(self.numbered, int(digits[:MAX_COUNT_DIGITS]))
            return EMPTY
        return Set(self.character_escape(char))

    def character_escape(self, char: str) -> Chars:
        """What an escape stands for, inside brackets or outside; `char` follows the backslash."""
        if char in self.classes:
            return self.classes[char]
        if char in _CONTROLS:
            return charset.single(_CONTROLS[char])
        if char in "pP":
            chars = self.property_()
            return chars if char == "p" else charset.invert(chars)
        if char == "c":
            letter = self.take("a control escape")
            if letter not in string.ascii_letters:
                raise InvalidPattern("`\\c` needs a letter")
            return charset.single(ord(letter) % 32)
        if char == "0":
            if _is_count(self.source[self.at : self.at + 1]):
                raise InvalidPattern("an octal escape")
            return charset.single(0)
        if char == "x":
            return charset.single(self.hexadecimal(2))
        if char == "u":
            return charset.single(self.unicode_escape())
        # The last two are the ends of a word to Rust.
        if char in string.ascii_letters or char in "<>":
            raise NotRegular(f"`\\{char}` is not ECMA-262, and validators read it differently")
        # Annex B's identity escape. Over other ASCII punctuation and beyond it, every engine that accepts it agrees.
        return charset.single(ord(char))

    def hexadecimal(self, digits: int) -> int:
        text = self.source[self.at : self.at + digits]
        if len(text) < digits or not set(text) <= set(string.hexdigits):
            raise InvalidPattern(f"an escape needs {digits} hexadecimal digits")
        self.at += digits
        return int(text, 16)

    def unicode_escape(self) -> int:
        if self.eat("{"):
            end = self.source.find("}", self.at)
            text = self.source[self.at : max(end, self.at)]
            if not text or not set(text) <= set(string.hexdigits) or int(text, 16) > charset.LAST:
                raise InvalidPattern("`\\u{…}` needs a code point")
            self.at = end + 1
            return int(text, 16)
        high = self.hexadecimal(4)
        if 0xD800 <= high <= 0xDBFF and self.peek("\\u"):
            # ECMA-262 §22.2.1 RegExpUnicodeEscapeSequence: a lead and a trail surrogate are one code point.
            before = self.at
            self.at += 2
            low = 0 if self.peek("{") else self.hexadecimal(4)
            if 0xDC00 <= low <= 0xDFFF:
                return 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00)
            self.at = before
        return high

    def property_(self) -> Chars:
        if not self.eat("{"):
            raise NotRegular("`\\p` without braces is not ECMA-262")
        end = self.source.find("}", self.at)
        if end < 0:
            raise InvalidPattern("`\\p{` is not closed")
        text = self.source[self.at : end]
        self.at = end + 1
        return general_category(text)

    def bracket(self) -> Chars:
        negated = self.eat("^")
        if self.peek("]"):
            raise NotRegular("an empty class is read differently by validators")
        members: list[Chars] = []
        while not self.eat("]"):
            low = self.class_atom()
            if not self.peek("-") or self.peek("-]"):
                members.append(low)
                continue
            self.at += 1
            high = self.class_atom()
            if charset.count(low) != 1 or charset.count(high) != 1:
                members += [low, charset.single(ord("-")), high]  # Annex B: `[\w-a]` has a plain hyphen
                continue
            if low > high:
                raise InvalidPattern("a range out of order in a class")
            members.append(((low[0][0], high[0][0]),))
        chars = charset.union(*members)
        return charset.invert(chars) if negated else chars

    def class_atom(self) -> Chars:
        char = self.take("a class")
        if char != "\\":
            return charset.single(ord(char))
        char = self.take("an escape")
        if char == "b":
            return charset.single(0x08)
        if char in "123456789Bk":
            raise InvalidPattern(f"`\\{char}` in a class")
        return self.character_escape(char)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit()
