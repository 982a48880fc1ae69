"""Log events: names with keys, to stderr; for people on a terminal, as JSON otherwise.

Law: the host program's own structlog configuration is neither read nor changed; and a line that cannot be written (a
full disk, a closed pipe) is never a failure of the code that logs it.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger(level: str = "info", **context: Any) -> FilteringBoundLogger:
    """A logger with these keys on every line."""
    stream = sys.stderr
    renderer: Processor
    if stream.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    else:
        renderer = structlog.processors.JSONRenderer()
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, _BestEffort(stream))),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
    ).bind(**context)
    return logger


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
    """Forwards the lines of a library that logs in prose to our logger, as one event with its text."""

    def __init__(self, log: FilteringBoundLogger, event: str) -> None:
        super().__init__()
        self._log, self._event = log, event

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(record.levelno, self._event, text=record.getMessage(), exc_info=record.exc_info)


def forward_logging(name: str, log: FilteringBoundLogger) -> None:
    """Sends what the standard library's logger of that name says to `log`, and nowhere else."""
    foreign = logging.getLogger(name)
    foreign.handlers = [_Forward(log, name)]
    foreign.propagate = False
