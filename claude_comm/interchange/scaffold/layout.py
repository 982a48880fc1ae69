"""Python expressions, laid out as `ruff format` leaves them.

Law: an expression that fits its line stands on it; one that does not is opened, one argument a line with a comma after
the last, which a formatter keeps whatever its width is. Text is quoted as a formatter quotes it: with double quotes
unless single ones need fewer escapes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from claude_comm.schema.verdict import Json

# That of ruff and black, unless a project says otherwise: what fits it fits a wider one.
WIDTH = 88
_INDENT = "    "


class CallExpression(msgspec.Struct, frozen=True):
    """Something with arguments in brackets: `list[int]`, `Meta(ge=0)`, `{"a": 1}`. Each may have words before it.

    A `Union` is written with bars where it fits its line.
    """

    head: str
    arguments: tuple[tuple[str, Expression], ...]
    brackets: str = "[]"


Expression = str | CallExpression


def subscript(head: str, *arguments: Expression) -> CallExpression:
    return CallExpression(head, tuple(("", argument) for argument in arguments))


def call(head: str, **named: Expression) -> CallExpression:
    return CallExpression(head, tuple((f"{name}=", argument) for name, argument in named.items()), "()")


def laid_out(expression: Expression, *, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """The expression, whose first line begins after `before` characters, and whose last has `after` more behind it."""
    flat = _flat(expression)
    if isinstance(expression, str) or before + len(flat) + after <= WIDTH or not expression.arguments:
        return flat
    margin = _INDENT * (indent + 1)
    lines = [
        f"{margin}{words}{laid_out(argument, indent=indent + 1, before=len(margin) + len(words), after=1)},"
        for words, argument in expression.arguments
    ]
    opening, closing = expression.brackets[0], expression.brackets[1]
    return "\n".join([f"{expression.head}{opening}", *lines, f"{_INDENT * indent}{closing}"])


def literal(value: Json) -> Expression:
    """A JSON value in Python."""
    if isinstance(value, dict):
        return CallExpression("", tuple((f"{quoted(name)}: ", literal(item)) for name, item in value.items()), "{}")
    if isinstance(value, list | tuple):
        return CallExpression("", tuple(("", literal(item)) for item in value))
    if isinstance(value, str):
        return quoted(value)
    # A formatter writes no plus sign into an exponent.
    return repr(value).replace("e+", "e")


def quoted(text: str) -> str:
    """Text as a literal of one line."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\x7f")
    inner = "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in inner)
    if text.count('"') > text.count("'"):
        return "'" + inner.replace('\\"', '"').replace("'", "\\'") + "'"
    return f'"{inner}"'


def paragraph(words: str) -> str:
    """Words that may stand in a docstring: one line, without what would end it."""
    return " ".join(words.replace("\\", "/").replace('"', "'").split())


def _flat(expression: Expression) -> str:
    if isinstance(expression, str):
        return expression
    opening, closing = expression.brackets[0], expression.brackets[1]
    inner: Sequence[str] = [f"{words}{_flat(argument)}" for words, argument in expression.arguments]
    if expression.head == "Union":
        return " | ".join(inner)
    return f"{expression.head}{opening}{', '.join(inner)}{closing}"
