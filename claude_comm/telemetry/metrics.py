"""Every metric: its name, kind, unit, labels and meaning, in one table.

Law: what is measured anywhere stands here, and nothing else is measured. `docs/metrics.md` is written from this table.
Labels have few values: modules, destinations and operations, never a session, an id or a reason.

Two scopes. `process` metrics are recorded by each client in its own process, through OpenTelemetry or Prometheus, as
`CLAUDE_COMM_METRICS` says. `namespace` metrics are what the server, the registry and the projection know of all modules
at once; whoever exports them (`claude-comm metrics`, the gateway's `/metrics`) exports them for everybody.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from claude_comm.telemetry import conventions as names

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Scope: TypeAlias = Literal["process", "namespace"]

# Seconds; the bounds that the conventions advise for operations of messaging.
OPERATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
# The projection's histogram has steps within each doubling of microseconds: from 0.5 ms to about two minutes.
LATENCY_BOUNDS_US = tuple(1 << power for power in range(9, 28))
_LATENCY_BOUNDS = tuple(bound / 1_000_000 for bound in LATENCY_BOUNDS_US)

# How a unit of OpenTelemetry (UCUM) ends a name of Prometheus; units in braces are remarks.
_SUFFIXES = {"s": "_seconds", "By": "_bytes"}


class Metric(msgspec.Struct, frozen=True):
    """One row. `bounds` are the upper bounds of a histogram's buckets, in its unit."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    scope: Scope = "namespace"
    bounds: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """The name in Prometheus, as OpenTelemetry's compatibility rules make it: without the `_total` of counters."""
        return self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "")

    @property
    def exported_labels(self) -> tuple[str, ...]:
        return tuple(label.replace(".", "_") for label in self.labels)

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series in Prometheus."""
        if self.kind == "histogram":
            return tuple(self.exported + end for end in ("_bucket", "_sum", "_count"))
        return (self.exported + "_total" if self.kind == "counter" else self.exported,)


_CLIENT = (names.SYSTEM, names.OPERATION_NAME, names.DESTINATION, names.ERROR_TYPE)
_READER = (names.SYSTEM, names.OPERATION_NAME, names.DESTINATION, names.GROUP, names.ERROR_TYPE)

OPERATION_DURATION = Metric(
    names.OPERATION_DURATION, "histogram", "s", _CLIENT,
    "Duration of an operation on the server: a send, or the acks, the retry or the burial of deliveries.",
    "process", OPERATION_BOUNDS,
)  # fmt: skip
SENT = Metric(
    names.SENT_MESSAGES, "counter", "{message}", _CLIENT,
    "Messages that this process sent. Failed sends are included, with `error.type`.",
    "process",
)  # fmt: skip
CONSUMED = Metric(
    names.CONSUMED_MESSAGES, "counter", "{message}", _READER,
    "Messages that this process handed to a handler.",
    "process",
)  # fmt: skip
PROCESS_DURATION = Metric(
    names.PROCESS_DURATION, "histogram", "s", _READER,
    "Duration of a handler; with `error.type` if it raised.",
    "process", OPERATION_BOUNDS,
)  # fmt: skip

INSTANCES = Metric(
    "claude_comm.module.instances", "gauge", "{instance}", ("module",),
    "Running instances of the module, by their heartbeats.",
)  # fmt: skip
WORKERS = Metric(
    "claude_comm.worker.instances", "gauge", "{instance}", ("worker",),
    "Running instances of a worker (negotiation, progress, janitor, …), by their heartbeats.",
)  # fmt: skip
ENTRIES = Metric(
    "claude_comm.stream.entries", "gauge", "{entry}", ("destination",),
    "Entries in the stream now, including handled ones that are not trimmed yet.",
)  # fmt: skip
OLDEST_AGE = Metric(
    "claude_comm.stream.oldest.age", "gauge", "s", ("destination",),
    "Age of the oldest entry in the stream.",
)  # fmt: skip
UNPROJECTED = Metric(
    "claude_comm.stream.unprojected", "gauge", "{entry}", ("destination",),
    "Entries that the projection of this home has not stored yet.",
)  # fmt: skip
LAG = Metric(
    "claude_comm.group.lag", "gauge", "{message}", ("destination", "module"),
    "Messages that the module has not read yet.",
)  # fmt: skip
PENDING = Metric(
    "claude_comm.group.pending", "gauge", "{message}", ("destination", "module"),
    "Messages that the module has read and not yet acked, retried or buried.",
)  # fmt: skip
DELAYED = Metric(
    "claude_comm.delayed.messages", "gauge", "{message}", ("destination",),
    "Messages that wait until they are due: delayed messages and retries.",
)  # fmt: skip
DEAD = Metric(
    "claude_comm.dead.messages", "gauge", "{message}", ("module",),
    "Buried messages in the dead-letter stream of the module.",
)  # fmt: skip
DEAD_DROPPED = Metric(
    "claude_comm.dead.dropped", "counter", "{message}", ("module",),
    "Buried messages that were removed because there were more than CLAUDE_COMM_KEEP_DEAD.",
)  # fmt: skip
SERVER_MEMORY = Metric(
    "claude_comm.server.memory", "gauge", "By", ("server",),
    "Memory that the server uses.",
)  # fmt: skip
SERVER_MEMORY_LIMIT = Metric(
    "claude_comm.server.memory.limit", "gauge", "By", ("server",),
    "Memory that the server may use; 0 if it has no limit.",
)  # fmt: skip
MESSAGES = Metric(
    "claude_comm.messages", "counter", "{message}", ("source", "destination"),
    "Messages that the projection has stored, by source and destination.",
)  # fmt: skip
MESSAGE_BYTES = Metric(
    "claude_comm.messages.size", "counter", "By", ("source", "destination"),
    "Size of those messages, as sent.",
)  # fmt: skip
DELIVERIES = Metric(
    "claude_comm.deliveries", "gauge", "{delivery}", ("source", "module", "outcome"),
    "Deliveries by outcome: `handled`, `retrying` or `buried`. A redrive changes the outcome.",
)  # fmt: skip
LATENCY = Metric(
    "claude_comm.delivery.latency", "histogram", "s", ("source", "module"),
    "Time from sending a message to the end of its handling.",
    bounds=_LATENCY_BOUNDS,
)  # fmt: skip
LOST = Metric(
    "claude_comm.deliveries.lost", "counter", "{delivery}", ("module",),
    "Messages that were deleted from their stream before the module had handled them.",
)  # fmt: skip
DUPLICATES = Metric(
    "claude_comm.deliveries.duplicate", "counter", "{delivery}", ("module",),
    "Copies of handled messages that the module skipped.",
)  # fmt: skip

METRICS = (
    OPERATION_DURATION, SENT, CONSUMED, PROCESS_DURATION,
    INSTANCES, WORKERS, ENTRIES, OLDEST_AGE, UNPROJECTED, LAG, PENDING, DELAYED, DEAD, DEAD_DROPPED,
    SERVER_MEMORY, SERVER_MEMORY_LIMIT, MESSAGES, MESSAGE_BYTES, DELIVERIES, LATENCY, LOST, DUPLICATES,
)  # fmt: skip


class Distribution(msgspec.Struct, frozen=True):
    """What a histogram counted: in each bucket (the last one has no bound), and the sum of all values."""

    counts: tuple[int, ...]
    sum: float


class Sample(msgspec.Struct, frozen=True):
    """One value of a metric now, with the values of its labels in their order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Distribution
