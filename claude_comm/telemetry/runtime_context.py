"""The current context of OpenTelemetry, read and set in one call.

Law: what `opentelemetry.context` reads and sets. Its functions go through two more calls each, for every message; here
they are left out where that package keeps contexts in a context variable, which is its default.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TypeAlias

from opentelemetry import context as api
from opentelemetry.context import Context

Functions: TypeAlias = tuple[
    Callable[[], Context], Callable[[Context], Token[Context]], Callable[[Token[Context]], None]
]


def functions_of(runtime: object) -> Functions:
    """How the current context is read, set and set back with this runtime context of the API."""
    variable = getattr(runtime, "_current_context", None)
    if type(runtime).__name__ == "ContextVarsRuntimeContext" and isinstance(variable, ContextVar):
        return variable.get, variable.set, variable.reset
    return api.get_current, api.attach, api.detach


current, attach, detach = functions_of(getattr(api, "_RUNTIME_CONTEXT", None))
