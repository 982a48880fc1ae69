"""The front door to the named queries of the projection: `Queries`, and `AsyncQueries` for asyncio.

Law: pure like its package; what is named here lies above it, in `claude_comm.client.queries`, and is fetched when it is
first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from claude_comm.client.queries import AsyncQueries, Queries

__all__ = ["AsyncQueries", "Queries"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("claude_comm.client.queries"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
