"""What claude-comm means to hold against its peers, and whether this run holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from benchmarks.side_by_side import Result


class Target(NamedTuple):
    """One way over another: at least, or at most, this ratio."""

    result: str
    way: str
    over: str
    bound: float
    kind: Literal["at least", "at most"] = "at least"


_TASKS = "claude-comm await publish() from 100 tasks"
_CONSUMER = "claude-comm Consumer(batch=500)"
_P50, _P99 = "Latency p50, one way", "Latency p99, one way"
_NATS_PUBLISH = "NATS JetStream publish_async"
TARGETS = (
    Target("Publish", "claude-comm publish_many", "redis-py, pipelines of 500", 2.2),
    Target("Publish", "claude-comm publish_many", _NATS_PUBLISH, 4),
    Target("Publish", "claude-comm publish_many, validated under an agreement", "redis-py, pipelines of 500", 2.2),
    Target("Publish", _TASKS, _NATS_PUBLISH, 3),
    Target("Publish", _TASKS, "redis-py, pipelines of 500", 1.5),
    Target("Consume", _CONSUMER, "redis-py without a framework", 1.2),
    Target("Consume", "claude-comm Module", "redis-py without a framework", 1.2),
    *(
        Target("Consume", f"claude-comm Module, {kind}", "redis-py without a framework", 0.9)
        for kind in ("validated", "dedup", "async")
    ),
    Target("Consume", _CONSUMER, "NATS JetStream", 3),
    Target("Consume", _CONSUMER, "FastStream, batched", 3),
    Target("Consume", "claude-comm Module", "NATS JetStream", 3),
    Target("Consume", "claude-comm Module", "FastStream, batched", 3),
    Target("Publish", "claude-comm publish_many, $ref and enum, validated", "redis-py, pipelines of 500", 2.2),
    Target("Publish", "claude-comm publish_soon", "redis-py, pipelines of 500", 1.5),
    Target("Publish, 50 KB", "claude-comm publish_many", "redis-py, pipelines of 500", 1.1),
    *(
        Target("Requests at once", f"claude-comm request, from {whom}", "core NATS, from tasks", 0.9)
        for whom in ("tasks", "threads")
    ),
    Target("Requests at once", "claude-comm request, from threads", "core NATS, from threads", 0.9),
    Target(_P50, "claude-comm, a topic", "claude-comm", 2, "at most"),
    Target(_P50, "claude-comm", "walrus", 1.2, "at most"),
    Target(_P99, "claude-comm", "NATS JetStream", 1, "at most"),
    Target("Request p50, round trip", "claude-comm request", "bare XADD and XREAD, redis-py", 2.5, "at most"),
)


def table(results: Sequence[Result]) -> str:
    """Markdown: every target whose two ways this run measured."""
    by_title = {result.title: result for result in results}
    rows = [row for target in TARGETS if (row := _row(target, by_title.get(target.result)))]
    return "\n".join(["| target | ratio | |", "| --- | ---: | --- |", *rows]) if rows else ""


def _row(target: Target, result: Result | None) -> str:
    if result is None or target.way not in result or target.over not in result:
        return ""
    ratio = result.ratio(target.way, target.over)
    holds = ratio >= target.bound if target.kind == "at least" else ratio <= target.bound
    sentence = f"{target.result}: {target.way} {target.kind} {target.bound:g} times {target.over}"
    return f"| {sentence} | {ratio:.2f} | {'holds' if holds else 'falls short'} |"
