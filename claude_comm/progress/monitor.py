"""The metrics of a session that a monitor can show, by name.

Law: pure. A metric is a function of the session as observed now and, for a rate, as observed before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A session at one moment. `at_s` is the time of a clock that never goes back; counts are of the whole session."""

    at_s: float
    messages: int = 0
    handled: int = 0
    failed: int = 0
    pending: int = 0
    size_bytes: int = 0
    latency: Mapping[str, float] | None = None
    files_processed: int = 0
    errors_encountered: int = 0
    bytes_processed: int = 0
    modules_active: Sequence[str] = ()
    file_operations: Mapping[str, int] = {}
    progress: Mapping[str, float] = {}


Metric: TypeAlias = Callable[[Observation, Observation | None], Any]


def _rate(now: Observation, before: Observation | None) -> float | None:
    """Messages a second since the previous observation; None at the first."""
    if before is None or now.at_s <= before.at_s:
        return None
    return round((now.messages - before.messages) / (now.at_s - before.at_s), 3)


def _success_rate(now: Observation, _before: Observation | None) -> float | None:
    settled = now.handled + now.failed
    return now.handled / settled if settled else None


def _error_rate(now: Observation, _before: Observation | None) -> float | None:
    settled = now.handled + now.failed
    return now.failed / settled if settled else None


def _field(name: str) -> Metric:
    return lambda now, _before: getattr(now, name)


METRICS: dict[str, Metric] = {
    "messages": _field("messages"),
    "messages_per_second": _rate,
    "handled": _field("handled"),
    "failed": _field("failed"),
    "pending": _field("pending"),
    "success_rate": _success_rate,
    "error_rate": _error_rate,
    "latency": _field("latency"),
    "size_bytes": _field("size_bytes"),
    "files_processed": _field("files_processed"),
    "errors_encountered": _field("errors_encountered"),
    "bytes_processed": _field("bytes_processed"),
    "modules_active": _field("modules_active"),
    "file_operations": _field("file_operations"),
    "progress": _field("progress"),
}


def measure(names: Sequence[str], now: Observation, before: Observation | None) -> dict[str, Any]:
    """The named metrics, in their order; names that are no metric are left out."""
    return {name: METRICS[name](now, before) for name in names if name in METRICS}
