"""Classes of characters as Python, Rust and ECMA-262 read them, written out so that all three read them alike.

Law: what is written here is one bracketed class of plain characters and ranges, without shorthand.
"""

from __future__ import annotations

from functools import cache

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.categories import categories
from claude_comm.schema.regex.charset import Chars

# Where Rust's `trim` and its `\s` see white space. Python's `strip` and `\s` see the four separators of ASCII as well.
RUST_SPACE: Chars = charset.of([*(pair for pair in charset.SPACE if pair[0] != 0xFEFF), (0x85, 0x85)])
PYTHON_SPACE: Chars = charset.of([*RUST_SPACE, (0x1C, 0x1F)])
ECMA_ONLY_SPACE = 0xFEFF


@cache
def decimal_digits() -> Chars:
    """`\\d` of Python and of Rust: general category Nd."""
    return categories()["Nd"]


@cache
def python_word() -> Chars:
    """`\\w` of Python: letters, numbers and the underscore."""
    return charset.union(charset.single(ord("_")), *_of("L", "N"))


@cache
def rust_word() -> Chars:
    """`\\w` of Rust: letters, marks, decimal and letter-like numbers, connectors, and the two joiners.

    The circled letters, which are symbols and yet alphabetic, belong to it as well.
    """
    return charset.union(*_of("L", "M", "Nd", "Nl", "Pc"), _JOINERS, _CIRCLED)


_JOINERS: Chars = ((0x200C, 0x200D),)
_CIRCLED: Chars = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))


def _of(*chosen: str) -> list[Chars]:
    table = categories()
    return [chars for name, chars in table.items() if name.startswith(chosen)]


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
    if char.isalnum() or char in "_ " or code > 0xFFFF:
        return char
    if char.isascii() and char.isprintable():
        return "\\" + char
    return char if char.isprintable() else f"\\u{code:04x}"
