"""What a report holds.

Times are microseconds since the epoch, durations milliseconds. Latency is from when a message was sent to when its
handler had returned; percentiles are by nearest rank, so that each is a value that occurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

# Upper ends of the classes of a latency strip, in milliseconds; the last class is open.
LATENCY_CLASSES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)


class Percentiles(msgspec.Struct, frozen=True):
    """Over the handled deliveries of whatever it stands in."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of messages by what became of them; `pending` ones have neither been handled nor buried."""

    messages: int = 0
    handled: int = 0
    buried: int = 0
    pending: int = 0
    retried: int = 0
    size_bytes: int = 0
    modules: Sequence[str] = ()
    latency: Percentiles | None = None


class Bucket(msgspec.Struct, frozen=True):
    """One part of the time: messages by sender, handled deliveries by class of latency, and their percentiles."""

    start_us: int
    sent: dict[str, int]
    classes: Sequence[int]
    latency: Percentiles | None


class HopFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The messages from one module to another; those to a topic count for each module that settled them."""

    source: str
    target: str
    messages: int
    handled: int
    buried: int
    size_bytes: int
    latency: Percentiles | None = None


class BurialKind(msgspec.Struct, frozen=True, kw_only=True):
    """Burials of one reason at one place of the payload (`path` is empty where the reason is not about one)."""

    consumer: str
    reason: str
    path: str
    count: int
    example: str
    last_us: int


class SlowMessage(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    source: str
    target: str
    type: str
    sent_us: int
    latency_ms: float
    attempts: int
    waited_ms: float | None = None


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    module: str
    task: str
    completed: float
    total: float
    updated_us: int
    state: str = "running"


class FileKind(msgspec.Struct, frozen=True, kw_only=True):
    """File operations of one kind: how many succeeded and failed, and the last path that failed."""

    operation: str
    succeeded: int
    failed: int
    last_failed: str = ""


class Negotiated(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement of modules in the report: what was decided, and a message that shows it where it is a refusal."""

    producer: str
    consumer: str
    answer: str
    witness: str = ""
    reason: str = ""


class MessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the table of detail."""

    number: int
    id: str
    source: str
    target: str
    type: str
    sent_us: int
    status: str
    latency_ms: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report shows. `subject` says of what; `kept_from_us` is set where older messages were pruned,
    whose sums are in the summary and whose details are gone."""

    subject: str
    made_us: int
    version: str
    start_us: int
    end_us: int
    summary: Summary
    bucket_us: int = 1
    buckets: Sequence[Bucket] = ()
    hops: Sequence[HopFigures] = ()
    burials: Sequence[BurialKind] = ()
    slowest: Sequence[SlowMessage] = ()
    tasks: Sequence[TaskFigures] = ()
    files: Sequence[FileKind] = ()
    agreements: Sequence[Negotiated] | None = None
    lines: Sequence[MessageLine] = ()
    lines_left_out: int = 0
    kept_from_us: int | None = None


def latency_class(latency_ms: float) -> int:
    """The index of the class that a latency falls into."""
    return next((at for at, end in enumerate(LATENCY_CLASSES_MS) if latency_ms <= end), len(LATENCY_CLASSES_MS))


def class_names() -> list[str]:
    """How the classes are written, the quickest first."""
    ends = [f"{end} ms" if end < 1_000 else f"{end // 1_000} s" for end in LATENCY_CLASSES_MS]
    return [f"≤ {ends[0]}", *(end for _, end in pairwise(ends)), f"> {ends[-1]}"]
