"""Log events: names with keys, to stderr; for people on a terminal, as JSON otherwise.

Law: the host program's own structlog configuration is neither read nor changed.
"""

from __future__ import annotations

import sys
from typing import Any

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
        structlog.PrintLogger(stream),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
    ).bind(**context)
    return logger
