"""Log events: names with keys, in the application's own logging where it has one, else on stderr.

Law: an application that has configured structlog, or given the standard library's logging a handler, gets our events
there, under the name `claude_comm`, and nothing on stderr; its configuration is never changed. Without either, a person
at a terminal reads lines, and a program reads one JSON object per event. What is logged is bounded and cannot steer a
terminal. A line that cannot be written (a full disk, a closed pipe) is never a failure of the code that logs it.

structlog takes longer to import than all the rest of a client: it is imported with the first line that is written.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

from claude_comm.delivery.burial import bounded
from claude_comm.escaping import clean, clean_lines
from claude_comm.telemetry.current import current_message, current_session

NAME = "claude_comm"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Of one value of an event: an exception may carry a whole payload in its text.
_MAX_CHARACTERS = 2_000


class EventLog:
    """Writes events of at least one level, each with the same keys beside its own."""

    def __init__(self, level: str, form: str, context: dict[str, Any]) -> None:
        self._level, self._form, self._context = _LEVELS[level], form, context

    def debug(self, event: str, **keys: Any) -> None:
        self.log(_LEVELS["debug"], event, **keys)

    def info(self, event: str, **keys: Any) -> None:
        self.log(_LEVELS["info"], event, **keys)

    def warning(self, event: str, **keys: Any) -> None:
        self.log(_LEVELS["warning"], event, **keys)

    def error(self, event: str, **keys: Any) -> None:
        self.log(_LEVELS["error"], event, **keys)

    def log(self, level: int, event: str, **keys: Any) -> None:
        """`exc_info` and `traceback` among the keys are written as text of several lines."""
        if level < self._level:
            return
        told = {**self._context, **surroundings(), **keys}
        fields = {name: _bounded(value) for name, value in told.items() if name != "exc_info"}
        if exc_info := keys.get("exc_info"):
            fields["exception"] = bounded(logging.Formatter().formatException(exc_info))
        if host := _host_structlog():
            _method(host, level)(event, **fields)
        elif logging.getLogger(NAME).hasHandlers():
            _to_standard_library(level, event, fields)
        else:
            _method(_own(self._form), level)(event, **fields)


def get_logger(level: str = "info", **context: Any) -> EventLog:
    """A log with these keys on every line. `level` is the setting `log_level`: `info`, or `info-json`, `info-text`."""
    name, _, form = level.partition("-")
    return EventLog(name, form, context)


def surroundings() -> dict[str, str]:
    """What this thread or task works in: its session, the message that it handles, and the span that it is in."""
    named = {"session": current_session.get(), "message": current_message.get()}
    fields = {name: value for name, value in named.items() if value}
    api = sys.modules.get("opentelemetry.trace")
    context = api.get_current_span().get_span_context() if api is not None else None
    if context is not None and context.is_valid:
        fields |= {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    return fields


def message_context(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for an application's structlog: its events say session, message, trace and span as ours do."""
    event.update({name: value for name, value in surroundings().items() if name not in event})
    return event


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_CHARACTERS:
        return bounded(value) if "\n" in value else value[: _MAX_CHARACTERS - 1] + "…"
    return value


def _host_structlog() -> Any:
    """The application's structlog, where it has configured one."""
    structlog = sys.modules.get("structlog")
    # Another thread may be importing it just now: then the application has not, and nobody has configured it.
    configured = getattr(structlog, "is_configured", None)
    return structlog.get_logger(NAME) if structlog is not None and configured is not None and configured() else None


def _method(logger: Any, level: int) -> Any:
    return getattr(logger, logging.getLevelName(level).lower())


def _to_standard_library(level: int, event: str, fields: dict[str, Any]) -> None:
    """One record: the event and its keys as text, and the keys as `record.event_fields` for formatters of data."""
    logger = logging.getLogger(NAME)
    if logger.isEnabledFor(level):
        text = " ".join([event, *(f"{name}={value}" for name, value in fields.items())])
        logger.log(level, "%s", clean_lines(text), extra={"event": event, "event_fields": fields})


def _own(form: str) -> Any:
    import structlog

    stream = sys.stderr
    readable = form == "text" or (form != "json" and stream.isatty())
    last = [_safe, structlog.dev.ConsoleRenderer(colors=stream.isatty())] if readable else [_json]
    return structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, _BestEffort(stream))),
        wrapper_class=structlog.make_filtering_bound_logger(0),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
    )


def _safe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Each value on one line; what has lines, a traceback, below the event. Nothing in it can steer the terminal."""
    given = {name: clean(value) for name, value in event.items() if not _has_lines(value)}
    lines = [clean_lines(value) for value in event.values() if _has_lines(value)]
    return given | {"exception": "\n".join(lines)} if lines else given


def _has_lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    import json

    return json.dumps(dict(event), default=str)


class _BestEffort:
    """A stream whose failures are ignored: there is no other place to report them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Forward(logging.Handler):
    """Forwards the lines of a library that logs in prose to our log, as one event with its text."""

    def __init__(self, log: EventLog, event: str) -> None:
        super().__init__()
        self._log, self._event = log, event

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(record.levelno, self._event, text=record.getMessage(), exc_info=record.exc_info)


def forward_logging(name: str, log: EventLog) -> None:
    """Sends what the standard library's logger of that name says to `log`, and nowhere else."""
    foreign = logging.getLogger(name)
    foreign.handlers = [_Forward(log, name)]
    foreign.propagate = False
