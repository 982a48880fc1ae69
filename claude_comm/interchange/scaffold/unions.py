"""Unions and annotated types as expressions, and the kinds of value that msgspec tells apart in a union."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from claude_comm.interchange.scaffold.layout import CallExpression, Expression, call, subscript


def annotated(base: Expression, said: dict[str, Expression]) -> Expression:
    return subscript("Annotated", base, call("Meta", **said)) if said else base


def union(members: Sequence[Expression]) -> Expression:
    return subscript("Union", *(argument for member in members for argument in _members(member)))


def _members(member: Expression) -> Iterator[Expression]:
    if isinstance(member, CallExpression) and member.head == "Union":
        yield from (argument for _, argument in member.arguments)
    else:
        yield member


def kinds_of(member: Expression) -> Iterator[str]:
    """The kinds of value that a member of a union takes, as msgspec tells them apart."""
    if isinstance(member, CallExpression) and member.head == "Union":
        for _, argument in member.arguments:
            yield from kinds_of(argument)
        return
    if isinstance(member, CallExpression) and member.head == "Annotated":
        yield from kinds_of(member.arguments[0][1])
        return
    if isinstance(member, CallExpression) and member.head == "Literal":
        yield from {("str" if str(argument)[:1] in "\"'" else "int") for _, argument in member.arguments}
        return
    head = member.head if isinstance(member, CallExpression) else member.partition("[")[0]
    yield {"tuple": "array", "list": "array", "dict": "object"}.get(head, head if head in _PLAIN else "object")


_PLAIN = frozenset(("str", "int", "float", "bool", "None", "msgspec.UnsetType"))
