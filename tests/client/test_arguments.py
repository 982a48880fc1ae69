"""Arguments are refused where they are given, by name: one row an argument, over the blocking and the asyncio faces."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import inspect
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

import claude_comm
from claude_comm import Module, ModuleCommunicator, RetryPolicy, Settings
from claude_comm.errors import ConfigurationError, SchemaError
from claude_comm.schema import adapt, check, diff
from tests.support.streams import publish

NAN, INF = float("nan"), float("inf")
NAMES = (None, 5, True, b"x", "", "a b", "x" * 65, [], {}, NAN, ValueError("x"), str)
TARGETS = (*NAMES, "topic:", "topic:a b")
TEXTS = (None, 5, 0, True, False, b"x", b"", [], {}, "x" * 257, NAN, str)
SESSIONS = (None, 5, 0, False, True, b"", b"x", [], "a\nb", "x" * 129, NAN)
HEADERS = (5, 0, False, True, "", "a=b", b"", [], [("a", "b")], {"a": 1}, {1: "a"}, {"a": None}, {"a": b"b"})
SECONDS = (NAN, INF, -INF, -1, -0.5, 1e300, 10**400, "1", b"1", True, False, [], {}, decimal.Decimal(1),
           datetime.timedelta(seconds=1), float, ValueError("1"))  # fmt: skip
COUNTS = (NAN, INF, 1.0, 1.5, -1, "1", b"1", True, False, [], {}, decimal.Decimal(1), int)
MOMENTS = (5, 1.5, True, "2030-01-01", b"", [], datetime.datetime(2030, 1, 1), datetime.date(2030, 1, 1),
           datetime.timedelta(seconds=1), datetime.datetime)  # fmt: skip
CHOICES = (None, 5, True, "", "Wait", b"wait", [], {})
LISTS_OF_NAMES = (None, 5, True, "news", b"news", [""], [5], [None], ["a b"], {"news": 1}, [["news"]], ("a", "a b"))
PAYLOADS = (None, 5, True, "text", b"bytes", {"a": 1}, bytearray(b"x"), claude_comm.Settings)
TYPES = (5, "int", b"x", [], [int], {}, ValueError("x"), True)
OBJECTS = (5, "x", True, [], {}, object())
NOTHING = (None,)

MESSAGE: dict[str, Any] = {"target": "sink", "data": 1}
SCHEMA = {"type": "integer"}
PROGRESS = {
    "task": (None, 5, b"x", "", "x" * 257, []),
    "completed": (NAN, INF, -1, "1", True, None, [], 10**400),
    "total": (NAN, INF, -1, "1", True, None, [], 10**400),
}
THREADING = {"session": SESSIONS, "correlation": TEXTS, "causation": TEXTS}
SPANS = {"delay_s": SECONDS, "at": MOMENTS, "ttl_s": SECONDS}

# Class, then method, its arguments when right, and for each argument what is refused. "" is the class itself.
ROWS: dict[tuple[str, str], tuple[dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    ("Publisher", ""): (
        {"source": "src"},
        {
            "source": NAMES,
            "settings": OBJECTS,
            "client": OBJECTS,
            "max_waiting_bytes": (*COUNTS, *NOTHING, 0),
            "on_full": CHOICES,
            "outbox": (5, True, b"", "", [], {}, 1.5),
            "on_lag": CHOICES,
            "lag_wait_s": (*SECONDS, *NOTHING),
        },
    ),
    ("Publisher", "publish"): (
        MESSAGE,
        {
            "target": TARGETS,
            "type": NAMES,
            **THREADING,
            "reply_to": TEXTS,
            "content_type": (*TEXTS, ""),
            "headers": HEADERS,
            **SPANS,
        },
    ),
    ("Publisher", "publish_many"): (
        {"target": "sink", "payloads": [1]},
        {"target": TARGETS, "payloads": PAYLOADS, "type": NAMES, "session": SESSIONS, **SPANS},
    ),
    ("Publisher", "publish_soon"): (
        MESSAGE,
        {"target": TARGETS, "type": NAMES, "session": SESSIONS, "ttl_s": SECONDS},
    ),
    ("Publisher", "request"): (
        {**MESSAGE, "timeout_s": 0.05},
        {"target": TARGETS, "type": NAMES, "timeout_s": (*SECONDS, *NOTHING, 0), **THREADING, "as_": TYPES},
    ),
    ("Publisher", "negotiate"): (
        {"target": "known", "schema": SCHEMA},
        {"target": TARGETS, "type": NAMES, "schema": (5, "int", [], b"", object())},
    ),
    ("Publisher", "tell"): ({"event": None}, {"event": (None, 5, "x", {}, [])}),
    ("Consumer", ""): (
        {"module": "sink"},
        {
            "module": NAMES,
            "topics": LISTS_OF_NAMES,
            "settings": OBJECTS,
            "instance": NAMES[1:],
            "batch": (*COUNTS, *NOTHING, 0),
            "prefetch": (*COUNTS, *NOTHING),
            "prefetch_bytes": (*COUNTS, *NOTHING, 0),
            "lease_s": (*SECONDS, *NOTHING, 0),
            "dedup": (*COUNTS, *NOTHING),
            "dedup_s": (*SECONDS, *NOTHING),
            "client": OBJECTS,
        },
    ),
    ("Consumer", "read"): ({"wait_s": 0}, {"wait_s": (*SECONDS, *NOTHING), "most": COUNTS}),
    ("Consumer", "ack"): ({}, {"delivery": (*OBJECTS, None)}),
    ("Consumer", "retry"): (
        {"delivery": "open", "wait_s": 1, "reason": "later"},
        {
            "delivery": (*OBJECTS, None),
            "wait_s": (*SECONDS, *NOTHING),
            "reason": (None, 5, True, b"x", [], ValueError("x")),
        },
    ),
    ("Consumer", "reply"): ({"delivery": "open", "data": 1}, {"delivery": (*OBJECTS, None)}),
    ("Consumer", "fail"): (
        {"delivery": "open", "reason": "broken"},
        {
            "delivery": (*OBJECTS, None),
            "reason": (None, 5, True, b"x", [], ValueError("x")),
            "path": (None, 5, b"", [], ["a"]),
            "schema_path": (None, 5, b"", [], ["a"]),
            "traceback": (None, 5, b"", [], ValueError("x")),
            "error": (5, "x", True, [], ValueError),
        },
    ),
    ("Consumer", "release"): ({}, {"delivery": (*OBJECTS, None)}),
    ("Consumer", "give_back"): ({}, {"*deliveries": (*OBJECTS, None)}),
    ("ModuleCommunicator", ""): ({"module_name": "m"}, {"module_name": NAMES, "settings": OBJECTS}),
    ("ModuleCommunicator", "send_message"): (
        {"source": "m", "target": "sink", "content": {}},
        {
            "source": NAMES,
            "target": TARGETS,
            "content": (None, 5, "text", b"", [], [("a", 1)], True),
            "type": NAMES,
        },
    ),
    ("ModuleCommunicator", "request"): (
        {"target": "sink", "content": {}, "timeout_s": 0.05},
        {"target": TARGETS, "type": NAMES, "timeout_s": (*SECONDS, *NOTHING, 0), "as_": TYPES},
    ),
    ("ModuleCommunicator", "get_messages"): (
        {"target": "sink"},
        {"target": TARGETS, "limit": COUNTS, "before": TEXTS},
    ),
    ("ModuleCommunicator", "track_progress"): (
        {"task": "t", "completed": 1, "total": 2},
        PROGRESS,
    ),
    ("ModuleCommunicator", "get_progress"): ({"task": "t"}, {"task": (None, 5, b"x", "", "x" * 257, [])}),
    ("ModuleCommunicator", "negotiate_schema"): (
        {"target_module": "known", "sample_data": 1},
        {"target_module": TARGETS, "type": NAMES},
    ),
    ("ModuleCommunicator", "register"): (
        {},
        {
            "accepts": (5, "int", [], b"", object(), {"a b": SCHEMA}, {5: SCHEMA}, {"a": 5}, {"a": "int"}, {"a": None}),
            "produces": (
                5,
                "int",
                [],
                b"",
                object(),
                {"a b": SCHEMA},
                {5: SCHEMA},
                {"a": 5},
                {"a": "int"},
                {"a": None},
            ),
            "version": (None, 5, 1.0, True, b"1", "", []),
        },
    ),
    ("ModuleCommunicator", "session"): ({"name": "s"}, {"name": (*SESSIONS, "")}),
    ("Context", "send"): (
        MESSAGE,
        {"target": TARGETS, "type": NAMES, "session": SESSIONS[1:], **SPANS},
    ),
    ("Context", "request"): (
        {**MESSAGE, "timeout_s": 0.05},
        {"target": TARGETS, "type": NAMES, "timeout_s": (*SECONDS, *NOTHING, 0), "session": SESSIONS[1:], "as_": TYPES},
    ),
    ("Context", "progress"): ({"task": "t", "completed": 1, "total": 2}, PROGRESS),
    ("Context", "file"): (
        {"operation": "read", "path": "x"},
        {
            "operation": (None, 5, b"x", "", "x" * 257, []),
            "path": (None, 5, b"x", "", []),
            "status": CHOICES,
            "size_bytes": (*COUNTS, *NOTHING),
        },
    ),
    ("Module", ""): (
        {"name": "m"},
        {
            "name": NAMES,
            "version": (None, 5, 1.0, True, b"1", "", [], "one"),
            "prefers": (None, 5, "^1.2", {}, [5], ["one"], ["^1", ">"]),
            "compatibility": CHOICES,
            "enforcement": CHOICES,
            "hold": (None, 5, "yes", []),
            "settings": OBJECTS,
            "topics": LISTS_OF_NAMES,
            "instance": NAMES[1:],
            "retry": (3, 0.5, True, "3", {}, [], RetryPolicy),
            "concurrency": (*COUNTS, *NOTHING, 0),
            "batch": (*COUNTS, *NOTHING, 0),
            "prefetch": (*COUNTS, 0),
            "prefetch_bytes": (*COUNTS, *NOTHING, 0),
            "lease_s": (*SECONDS, *NOTHING, 0),
            "drain_s": (*SECONDS, *NOTHING),
            "dedup": (*COUNTS, *NOTHING),
            "dedup_s": (*SECONDS, *NOTHING),
            "max_lag": (*COUNTS, *NOTHING),
        },
    ),
    ("Module", "handles"): (
        {},
        {"type": NAMES, "retry": (3, 0.5, True, "3", {}, [], RetryPolicy), "accepts": (5, "int", [], b"", object())},
    ),
    ("Module", "handles_batch"): (
        {},
        {
            "type": NAMES,
            "max": (*COUNTS, *NOTHING, 0),
            "retry": (3, 0.5, True, "3", {}, [], RetryPolicy),
            "accepts": (5, "int", [], b"", object()),
        },
    ),
    ("Module", "produces"): (
        {"type": "found", "shape": int},
        {"type": NAMES, "shape": (5, "int", [], b"", object()), "target": tuple(t for t in TARGETS if t != "")},
    ),
    ("Module", "on_start"): ({}, {"function": (None, 5, "x", [], Module)}),
    ("RetryPolicy", ""): (
        {},
        {
            "attempts": (*COUNTS, *NOTHING, 0),
            "first_wait_s": (*SECONDS, *NOTHING),
            "factor": (NAN, INF, 0, -1, "1", True, None, [], 10**400),
            "longest_wait_s": (*SECONDS, *NOTHING),
            "jitter": (NAN, INF, -1, 2, "1", True, None, []),
            "retried": ([ValueError("x")], ValueError("x"), None, 5, "ValueError", ["ValueError"], [int], (True,), {}),
            "never": ([ValueError("x")], ValueError("x"), None, 5, "ValueError", ["ValueError"], [int], (True,), {}),
        },
    ),
    ("Settings", ""): (
        {"home": "home"},
        {
            "home": (None, 5, True, b"x", [], ""),
            "url": (None, 5, b"", "http://x", "localhost:6379", [], True),
            "control_url": (None, 5, b"", "http://x", [], True),
            "namespace": NAMES,
            "max_envelope_bytes": (*COUNTS, *NOTHING, 0),
            "max_lag": (*COUNTS, *NOTHING),
            "keep_s": (*SECONDS, *NOTHING),
            "keep_entries": (*COUNTS, *NOTHING),
            "keep_dead": (*COUNTS, *NOTHING, 0),
            "projection_wait_s": (*SECONDS, *NOTHING, 0),
            "log_level": (None, 5, "", "loud", b"info", []),
        },
    ),
}
ASYNCHRONOUS = ("Context", "Publisher", "Consumer", "ModuleCommunicator")
CASES = [
    (prefix + face, method, argument)
    for (face, method), (_, arguments) in ROWS.items()
    for argument in arguments
    for prefix in (("", "Async") if face in ASYNCHRONOUS else ("",))
]


# Where the sentence has another word than the argument's name.
WORDS = {
    "*deliveries": "delivery",
    "accepts": "schema|type",
    "produces": "schema|type",
    "source": "source|module",
    "module_name": "module",
    "name": "session|module",
    "target": "target|topic",
    "target_module": "target|topic",
    "topics": "topic",
    "schema": "schema|a sequence|type",
    "shape": "schema|type",
    "function": "start function|no function",
    "content": "content",
    "delivery": "delivery",
}


@pytest.mark.parametrize(("face", "method", "argument"), CASES)
def test_a_wrong_argument_is_refused_where_it_is_given_by_name(
    settings: Settings, face: str, method: str, argument: str
) -> None:
    right, arguments = ROWS[face.removeprefix("Async"), method]
    said = re.compile(WORDS.get(argument, argument))
    wrong: list[tuple[str, ...]] = []

    async def scenario() -> None:
        with ModuleCommunicator("known", settings=settings) as known:
            known.register(accepts=SCHEMA)
        async with face_of(face, settings) as opened:
            for value in arguments[argument]:
                called = Call(opened if method else getattr(claude_comm, face), method, settings, right)
                try:
                    result = await called.with_(argument, value)
                except (ConfigurationError, SchemaError) as error:
                    if not said.search(str(error)):
                        wrong.append((repr(value)[:60], "does not name it", str(error)[:150]))
                except Exception as error:  # noqa: BLE001
                    wrong.append((repr(value)[:60], type(error).__name__, str(error)[:120]))
                else:
                    wrong.append((repr(value)[:60], "taken", result))

    asyncio.run(scenario())
    assert not wrong, "\n".join(map(str, wrong))


@asynccontextmanager
async def face_of(face: str, settings: Settings) -> AsyncIterator[Any]:
    """One of that class, with what its methods need; it is closed at the end."""
    name = face.removeprefix("Async")
    if name == "Module":
        yield Module("m", settings=settings)
    elif name in ("Settings", "RetryPolicy"):
        yield None
    else:
        opened = getattr(claude_comm, face.replace("Context", "Publisher"))("src", settings=settings)
        declared = Module("src", settings=settings)
        declared.produces("found", int)
        try:
            if name == "Context":
                yield getattr(claude_comm, face)(opened, declared.contract(), declared.stop)
            else:
                yield opened
        finally:
            closing = opened.close()
            if inspect.isawaitable(closing):
                await closing


class Call(msgspec.Struct):
    """A call that is right but for one argument."""

    of: Any
    method: str
    settings: Settings
    right: Mapping[str, Any]

    async def with_(self, argument: str, value: Any) -> Any:
        given = {**self.right, argument: value}
        if "delivery" in given and argument != "delivery":
            given["delivery"] = await self._delivery()
        if not self.method:
            return await self._made(given)
        function = getattr(self.of, self.method)
        result = function(value) if argument.startswith("*") else function(**given)
        if isinstance(result, AbstractContextManager):
            with result:
                return "taken"
        if self.method.startswith("handles"):
            result = result(_one if self.method == "handles" else _many)
        return await result if inspect.isawaitable(result) else result

    async def _made(self, given: dict[str, Any]) -> Any:
        """The object itself, closed again where it should not have been made."""
        if self.of.__name__ not in ("Settings", "RetryPolicy"):
            given.setdefault("settings", self.settings)
        made = self.of(**given)
        closing = made.close() if hasattr(made, "close") else None
        if inspect.isawaitable(closing):
            await closing
        return made

    async def _delivery(self) -> Any:
        publish(self.settings, "src", 1)
        read = self.of.read(wait_s=10)
        return (await read if inspect.isawaitable(read) else read)[0]


def _one(payload: int) -> None: ...


def _many(payloads: list[int]) -> None: ...


@pytest.mark.parametrize("prove", [check, diff, adapt])
@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("policy", (None, 5, "", "loose", [])),
        ("budget_ms", (NAN, INF, -1, 10**400, "1", True, None, [])),
        ("default_dialect", (None, 5, "", "draft3", [])),
        ("documents", (5, "x", [], {5: {}}, {"http://x/y": 5})),
    ],
)
def test_the_engine_refuses_them_too(prove: Callable[..., Any], argument: str, values: tuple[Any, ...]) -> None:
    wrong = []
    for value in values:
        try:
            prove(True, True, **{argument: value})
        except (ConfigurationError, SchemaError) as error:
            if argument not in str(error):
                wrong.append((repr(value)[:60], "does not name it", str(error)[:150]))
        except Exception as error:  # noqa: BLE001
            wrong.append((repr(value)[:60], type(error).__name__, str(error)[:120]))
        else:
            wrong.append((repr(value)[:60], "taken"))
    assert not wrong, "\n".join(map(str, wrong))
