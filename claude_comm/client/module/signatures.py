"""The signature of a handler: what a function takes, decided once, when it is registered.

Law: a function is served right, or refused here with a sentence that says what to write instead. None is accepted whose
body would not run: a generator runs when somebody iterates over it, and nobody does.

| what is registered | |
| --- | --- |
| function, bound method, `functools.partial`, callable object, decorated function (`functools.wraps`) | served |
| `async def`, or a function annotated to return an awaitable | served, awaited on the event loop |
| a second parameter without a default, or annotated as a context | given the context |
| a second parameter with a default | left alone |
| generator, async generator, class, method without its object, unknown name in an annotation | refused |
"""

from __future__ import annotations

import asyncio
import collections.abc
import concurrent.futures
import functools
import inspect
import typing
from collections.abc import Mapping
from types import UnionType
from typing import Any

import msgspec

from claude_comm.client.module.async_context import AsyncContext
from claude_comm.client.module.context import Context
from claude_comm.errors import ConfigurationError

_YIELDING: tuple[Any, ...] = (
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.AsyncIterator,
)
_AWAITABLE: tuple[Any, ...] = (
    asyncio.Future,
    asyncio.Task,
    collections.abc.Awaitable,
    collections.abc.Coroutine,
)
_MISSING = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature(msgspec.Struct, frozen=True):
    """What a handler takes and gives: the annotation of its payload and of its result (Any without one)."""

    name: str
    shape: Any
    result: Any
    takes_context: bool
    is_async: bool


def signature_of(function: Any, local: Mapping[str, Any] | None = None, what: str = "handler") -> Signature:
    """Annotations may refer to names in `local` beside those of the function's module.

    Raises ConfigurationError for a function that would not be called as it expects to be.
    """
    name = _name(function)
    plain = _plain(function, what, name)
    hints = _hints(plain, what, name, local or {})
    parameters = _parameters(function, what, name)
    first = parameters[0]
    if hints.get(first.name) in (Context, AsyncContext):
        raise ConfigurationError(f"the {what} {name} takes the context first: its parameters are (payload, context).")
    returned = hints.get("return", Any)
    awaited = is_async(function) or _is_of(returned, _AWAITABLE)
    if _is_of(returned, (concurrent.futures.Future,)):
        raise ConfigurationError(
            f"the {what} {name} returns a Future: wait for its result there, or the message is acked before it is done."
        )
    if not inspect.iscoroutinefunction(plain) and _is_of(returned, _YIELDING):
        raise ConfigurationError(f"the {what} {name} returns an iterator that nobody iterates over: return a list.")
    takes_context = len(parameters) > 1 and _is_context(parameters[1], hints, what, name, awaited)
    return Signature(name, hints.get(first.name, Any), returned, takes_context, awaited)


def check_starter(function: Any) -> bool:
    """Whether a start function is to be awaited. Raises ConfigurationError for one that takes no context."""
    name = _name(function)
    _plain(function, "start function", name)
    _parameters(function, "start function", name, "(context)")
    return is_async(function)


def is_async(function: Any) -> bool:
    """Whether the result of a function is to be awaited, by the way it is defined."""
    return inspect.iscoroutinefunction(_defined(function))


def _defined(function: Any) -> Any:
    """The function with the `def` below partials, decorators (`functools.wraps`), objects and methods."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isroutine(function) or isinstance(function, type) or not callable(function):
            return function
        else:
            function = type(function).__call__


def _plain(function: Any, what: str, name: str) -> Any:
    """The function below, of a kind whose body runs when it is called."""
    if isinstance(function, type) or not callable(function):
        raise ConfigurationError(f"{name} is no function: register a function as a {what}.")
    plain = _defined(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise ConfigurationError(
            f"the {what} {name} yields, so its body would never run: return the result, "
            "and send what else there is with `context.send`."
        )
    return plain


def _parameters(function: Any, what: str, name: str, wanted: str = "(payload) or (payload, context)") -> list[Any]:
    """The positional parameters."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise ConfigurationError(f"the {what} {name} does not say what it takes: wrap it in a function.") from None
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if positional and positional[0].name in ("self", "cls") and owner and not owner.endswith("<locals>"):
        raise ConfigurationError(
            f"the {what} {name} is a method without its object: register it where there is one, "
            f"as `module.handles(...)(instance.{name.rpartition('.')[2]})`."
        )
    required = sum(parameter.default is _MISSING for parameter in positional)
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is _MISSING]
    most = wanted.count(",") + 1
    if not positional or required > most or named:
        count = f"{len(parameters)} parameters" if positional else "0 parameters by position"
        also = f", and {', '.join(named)} by name" if named else ""
        raise ConfigurationError(f"the {what} {name} takes {count}{also}: it needs {wanted}.")
    return positional


def _is_context(parameter: Any, hints: Mapping[str, Any], what: str, name: str, awaited: bool) -> bool:
    """Whether a second parameter is given the context."""
    shape = hints.get(parameter.name, Any)
    kinds = [kind for kind in (Context, AsyncContext) if shape is kind or kind in typing.get_args(shape)]
    if AsyncContext in kinds and Context not in kinds and not awaited:
        raise ConfigurationError(f"the {what} {name} is no `async def`: annotate its second parameter as Context.")
    if kinds:
        return True
    if parameter.default is not _MISSING:
        return False
    if shape not in (Any, object):
        raise ConfigurationError(
            f"the {what} {name} would be given the context as {parameter.name!r}, annotated as {shape!r}: "
            "annotate it as Context, or give it a default."
        )
    return True


def _hints(plain: Any, what: str, name: str, local: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations, forward references resolved: also those of names that only the registering function has."""
    try:
        return typing.get_type_hints(plain, localns=dict(local), include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"an annotation of the {what} {name} names {error.name!r}, which is not defined where it is registered: "
            "define it before."
        ) from None
    except TypeError:
        return {}


def _is_of(shape: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether an annotation is one of these, with or without what it holds."""
    if isinstance(shape, UnionType) or typing.get_origin(shape) is typing.Union:
        return any(_is_of(part, kinds) for part in typing.get_args(shape))
    return (typing.get_origin(shape) or shape) in kinds


def _name(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def unrun(result: object) -> str:
    """Why a result shows that a handler's body did not run to its end; empty where it did. A coroutine is closed: that
    nobody awaited it is said here, and need not be once more when it is collected."""
    if inspect.iscoroutine(result):
        result.close()
    if inspect.isawaitable(result):
        return "the handler returned something that nobody awaits: declare it with `async def`"
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        return "the handler returned a generator that nobody iterates over: return its result"
    if isinstance(result, concurrent.futures.Future):
        return "the handler returned a Future that nobody waits for: return its result"
    return ""
