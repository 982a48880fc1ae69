"""The regular expressions of Python and of Rust, written so that every reader of a schema reads them alike.

Law: the pattern returned is found in exactly the texts in which the other library finds its own. Shorthand classes are
written out, for Python, Rust and ECMA-262 mean different characters by them; anchors are made explicit. What cannot be
written that way is `Untranslatable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import unicode_word
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.types import characters
from claude_comm.schema.types.characters import bracketed, character

Engine: TypeAlias = Literal["python", "rust"]


class Untranslatable(Exception):
    """Part of a pattern that means something of its own where it comes from. It never leaves this package."""


def from_python(pattern: str) -> str:
    """Of `re.search`."""
    return _Writer("python").whole(pattern)


def from_rust(pattern: str) -> str:
    """Of the crate `regex`: the syntax that it shares with Python, read its way."""
    if _ONLY_RUST.search(pattern):
        raise Untranslatable("syntax that only Rust has")
    return _Writer("rust").whole(pattern)


# Classes by name or within classes, set operations, Unicode properties, braces of escapes, word starts.
_ONLY_RUST = re.compile(r"\\[pPzQEAZ<>xuU]|\[\[|\[:|&&|--|~~|\(\?[a-zA-Z-]*[xURu]|\(\?P?<?[^:=!)<]*>?\(\?#")


class _Class(msgspec.Struct, frozen=True):
    """What the shorthands stand for."""

    digit: Chars
    word: Chars
    space: Chars


def _classes(engine: Engine, *, ascii_only: bool) -> _Class:
    if ascii_only:
        space = ((0x09, 0x0D), (0x20, 0x20))
        return _Class(charset.DIGIT, charset.WORD, space)
    if engine == "python":
        return _Class(characters.python_digits(), characters.python_word(), characters.PYTHON_SPACE)
    return _Class(characters.rust_digits(), unicode_word(), characters.RUST_SPACE)


class _Writer:
    def __init__(self, engine: Engine) -> None:
        self.engine: Engine = engine

    def whole(self, pattern: str) -> str:
        try:
            tree = parser.parse(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise Untranslatable(str(error)) from None
        flags = tree.state.flags
        if flags & ~(re.UNICODE | re.ASCII | re.DOTALL):
            raise Untranslatable("a flag that changes what letters match")
        self.classes = _classes(self.engine, ascii_only=bool(flags & re.ASCII))
        self.dot_all = bool(flags & re.DOTALL)
        return self.sequence(tree, last=True)

    def sequence(self, items: Any, *, last: bool) -> str:
        """`last`: whether nothing of the pattern follows; there alone the end of Python can be written."""
        nodes = list(items)
        return "".join(self.node(node, last=last and at == len(nodes) - 1) for at, node in enumerate(nodes))

    def node(self, node: Any, *, last: bool) -> str:
        kind, value = node
        if kind in (ops.LITERAL, ops.NOT_LITERAL):
            chars = charset.single(value)
            return character(value) if kind is ops.LITERAL else bracketed(charset.invert(chars))
        if kind is ops.ANY:
            return r"[\s\S]" if self.dot_all else r"[^\n]"
        if kind is ops.IN:
            return self.one_of(value)
        if kind is ops.BRANCH:
            return f"(?:{'|'.join(self.sequence(option, last=last) for option in value[1])})"
        if kind is ops.SUBPATTERN:
            _, added, removed, body = value
            if added or removed:
                raise Untranslatable("flags inside the pattern")
            return f"(?:{self.sequence(body, last=last)})"
        if kind in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self.repeated(value)
        if kind is ops.AT:
            return self.anchor(value, last=last)
        raise Untranslatable(f"{str(kind).lower()} is not regular, or not read alike everywhere")

    def repeated(self, value: Any) -> str:
        least, most, body = value
        item = f"(?:{self.sequence(body, last=False)})"
        if most == ops.MAXREPEAT:
            return item + ("*" if least == 0 else "+" if least == 1 else f"{{{least},}}")
        return item + f"{{{least},{most}}}"

    def anchor(self, place: Any, *, last: bool) -> str:
        if place in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
            return "^"
        if place is ops.AT_END_STRING or (place is ops.AT_END and self.engine == "rust"):
            return "$"
        if place is ops.AT_END and last:
            # The end of Python may have a line feed behind it.
            return r"\n?$"
        raise Untranslatable("an end or a word boundary inside the pattern")

    def one_of(self, members: Any) -> str:
        negated = members[0][0] is ops.NEGATE
        chars = charset.union(*self.members(members[negated:]))
        if negated:
            chars = charset.invert(chars)
        if not chars:
            raise Untranslatable("a class that nothing matches")
        return r"[\s\S]" if chars == charset.ANY else bracketed(chars)

    def members(self, members: Any) -> Iterator[Chars]:
        for kind, value in members:
            if kind is ops.LITERAL:
                yield charset.single(value)
            elif kind is ops.RANGE:
                yield ((value[0], value[1]),)
            else:
                # CATEGORY: a class holds nothing else.
                yield self.category(value)

    def category(self, value: Any) -> Chars:
        classes = self.classes
        known = {
            ops.CATEGORY_DIGIT: classes.digit,
            ops.CATEGORY_SPACE: classes.space,
            ops.CATEGORY_WORD: classes.word,
            ops.CATEGORY_NOT_DIGIT: charset.invert(classes.digit),
            ops.CATEGORY_NOT_SPACE: charset.invert(classes.space),
            ops.CATEGORY_NOT_WORD: charset.invert(classes.word),
        }
        return known[value]
