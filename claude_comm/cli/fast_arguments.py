"""Arguments that need no conversion bypass typer's converter.

typer 0.29 converts every argument with pydantic, even text to text, and importing pydantic takes 60 ms: more than
all the rest of a command that reads. Here an argument that already has its type is passed on unchanged; any
other goes to typer's own converter, so errors and conversions stay typer's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeGuard

import typer
from typer.core import TyperCommand, TyperGroup

# What pydantic puts before the words of another's error.
_PREFIX = "Value error, "


class _FastConverter:
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None or type(value) is self._kind:
            return value
        if issubclass(self._kind, StrEnum) and value in self._kind.__members__.values():
            return self._kind(value)
        plain = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        if self._kind in (int, float) and plain:
            number = self._kind(value)
            if (param.min is None or number >= param.min) and (param.max is None or number <= param.max):
                return number
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


class FastCommand(TyperCommand):
    """A command whose plain arguments need no converter."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_fast(param) for param in super().get_params(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(_PREFIX)
            raise


class FastGroup(TyperGroup):
    """A group whose own options need no converter."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_fast(param) for param in super().get_params(ctx)]


def _is_plain(kind: Any) -> TypeGuard[type]:
    return kind in (str, int, float, bool) or (isinstance(kind, type) and issubclass(kind, StrEnum))


def _fast(param: Any) -> Any:
    """The same parameter with our converter in front. If typer looks for it elsewhere, it is only slower."""
    kind = param.type_descriptor.annotation if hasattr(param, "type_descriptor") else None
    single = param.nargs == 1 and not getattr(param, "multiple", False)
    if single and _is_plain(kind) and vars(param).get("_runtime_param") is None:
        vars(param)["_runtime_param"] = _FastConverter(kind)
    return param
