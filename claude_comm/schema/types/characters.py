"""Classes of characters as Python, Rust and ECMA-262 read them, written out so that all three read them alike.

Law: what is written here is one bracketed class of plain characters and ranges, without shorthand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import categories
from claude_comm.schema.regex.charset import Chars

# Where Rust's `trim` and its `\s` see white space. Python's `strip` and `\s` see the four separators of ASCII as well.
RUST_SPACE: Chars = charset.of([*(pair for pair in charset.SPACE if pair[0] != 0xFEFF), (0x85, 0x85)])
PYTHON_SPACE: Chars = charset.of([*RUST_SPACE, (0x1C, 0x1F)])


@cache
def rust_digits() -> Chars:
    """`\\d` of Rust: general category Nd, of the Unicode version that the run-time validator has."""
    return categories()["Nd"]


@cache
def python_digits() -> Chars:
    """`\\d` of this Python, and what its `decimal` reads: an older version knows fewer scripts."""
    return _of_those(rust_digits(), str.isdecimal)


@cache
def python_word() -> Chars:
    """`\\w` of this Python: letters, numbers and the underscore."""
    named = [chars for name, chars in categories().items() if name.startswith(("L", "N"))]
    return charset.union(charset.single(ord("_")), _of_those(charset.union(*named), str.isalnum))


def _of_those(chars: Chars, wanted: Callable[[str], bool]) -> Chars:
    return charset.of((code, code) for low, high in chars for code in range(low, high + 1) if wanted(chr(code)))


def bracketed(chars: Chars) -> str:
    """The class of these characters; `chars` is not empty."""
    return f"[{''.join(_range(low, high) for low, high in chars)}]"


def _range(low: int, high: int) -> str:
    if low == high:
        return character(low)
    return f"{character(low)}{'' if high == low + 1 else '-'}{character(high)}"


def character(code: int) -> str:
    """One character, so written that it stands for itself inside a class and outside of one."""
    char = chr(code)
    if char in _SYNTAX:
        return "\\" + char
    # A hyphen may be escaped in a class alone.
    return char if (char.isprintable() and char != "-") or code > 0xFFFF else f"\\u{code:04x}"


# What every reader takes an escape of. To Rust `\\<` and `\\>` are the ends of a word.
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
