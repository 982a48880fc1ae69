"""A trace in the JSON of Chrome's trace viewer, which Perfetto, Speedscope and `chrome://tracing` read.

Law: pure. A module is a process; each delivery is a slice of the module that had it, from the sending of its message to
the end of its handling, on the first lane that is free then. An arrow leads from what caused a message to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from claude_comm.escaping import clean
from claude_comm.store.records import DeliveryRow, MessageRow
from claude_comm.store.traces import TraceStep

# A message that nobody has settled yet is drawn this long (microseconds), so that it is seen.
_OPEN_US = 1


def trace_events(steps: Sequence[TraceStep]) -> dict[str, Any]:
    """The document: `ts` and `dur` are microseconds, as the format has it."""
    places = _Places()
    slices = [event for step in steps for event in _slices(step, places)]
    drawn: dict[str, dict[str, dict[str, Any]]] = {}
    for event in slices:
        drawn.setdefault(event["args"]["id"], {})[event["args"]["consumer"]] = event
    arrows = [event for step in steps for event in _arrows(step.message, drawn)]
    names = [_named(module, pid) for module, pid in places.processes.items()]
    return {"displayTimeUnit": "ms", "traceEvents": [*names, *slices, *arrows]}


class _Places:
    """The number of each module, and when each of its lanes is free again."""

    def __init__(self) -> None:
        self.processes: dict[str, int] = {}
        self._free_us: dict[int, list[int]] = {}

    def of(self, module: str, start_us: int, end_us: int) -> tuple[int, int]:
        """The process of a module, and the first of its lanes on which nothing is drawn then."""
        pid = self.processes.setdefault(module, len(self.processes) + 1)
        lanes = self._free_us.setdefault(pid, [])
        lane = next((at for at, free_us in enumerate(lanes) if free_us <= start_us), len(lanes))
        lanes[lane : lane + 1] = [end_us]
        return pid, lane + 1


def _slices(step: TraceStep, places: _Places) -> Iterator[dict[str, Any]]:
    """A slice for each consumer of a message; one of its target, while no consumer has settled it."""
    row = step.message
    deliveries: Sequence[DeliveryRow | None] = step.deliveries or (None,)
    for delivery in deliveries:
        consumer = row.target if delivery is None else delivery.consumer
        end_us = max(0 if delivery is None else delivery.settled_us, row.time_us + _OPEN_US)
        pid, lane = places.of(consumer, row.time_us, end_us)
        yield {
            "name": clean(row.type),
            "cat": clean(row.status if delivery is None else delivery.status),
            "ph": "X",
            "ts": row.time_us,
            "dur": end_us - row.time_us,
            "pid": pid,
            "tid": lane,
            "args": _arguments(row, delivery, consumer),
        }


def _arguments(row: MessageRow, delivery: DeliveryRow | None, consumer: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {"id": row.id, "source": row.source, "target": row.target, "consumer": consumer}
    if row.session:
        arguments["session"] = row.session
    if delivery is not None:
        arguments |= {"attempts": delivery.attempts}
        if delivery.reason:
            arguments["reason"] = delivery.reason
    return arguments


def _arrows(row: MessageRow, drawn: dict[str, dict[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """From the slice in which the sender handled the cause to each slice of this message."""
    cause = drawn.get(row.causation, {}).get(row.source)
    if cause is None:
        return
    # An arrow begins within a slice, or viewers draw none: that of a cause which nobody has settled yet is short.
    from_us = max(cause["ts"], min(row.time_us, cause["ts"] + cause["dur"] - 1))
    for consumer, event in drawn[row.id].items():
        arrow = {"name": "caused", "cat": "cause", "id": f"{row.id}/{consumer}", "ts": row.time_us}
        yield arrow | {"ph": "s", "ts": from_us, "pid": cause["pid"], "tid": cause["tid"]}
        yield arrow | {"ph": "f", "bp": "e", "pid": event["pid"], "tid": event["tid"]}


def _named(module: str, pid: int) -> dict[str, Any]:
    return {"name": "process_name", "ph": "M", "pid": pid, "args": {"name": clean(module)}}
