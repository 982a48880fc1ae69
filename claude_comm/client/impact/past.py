"""The traffic of some days, weighed by its shapes; what no proof clears is replayed from the projection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from claude_comm.impact import history
from claude_comm.impact.replay import OWN_TYPES, Evidence, Replay
from claude_comm.impact.shapes import DAY_US, Shape
from claude_comm.registry.contracts import Contract
from claude_comm.store import shapes as stored
from claude_comm.store.database import Database
from claude_comm.store.shapes import Flow, FlowShapes, StoredMessage

# Of so many messages of a common shape it is seen what they have in common.
SAMPLE = 16


class Remembered(msgspec.Struct):
    """What the shapes were found to be: how many, of how many messages; how many were proved to fit, and what became
    of the rest. `alike` of the unknown have a shape of which every message that was looked at fails."""

    shapes: int = 0
    proved: int = 0
    messages: int = 0
    replayed: int = 0
    unknown: int = 0
    alike: int = 0
    evidence: dict[tuple[str, str], Evidence] = {}

    @property
    def sentence(self) -> str:
        words = f"{self.messages:,} message(s) in {self.shapes:,} shape(s), {self.proved:,} of them proved"
        if self.replayed:
            words += f"; {self.replayed:,} message(s) of the others replayed"
        words += f"; {self.alike:,} more have a shape of which all that were replayed fail" if self.alike else ""
        left = self.unknown - self.alike
        return words + (f"; {left:,} could not be looked at" if left > 0 else "")


class PastWindow(msgspec.Struct, frozen=True):
    """Since when, and how many messages of one flow may be replayed."""

    since_us: int
    most: int

    @property
    def day(self) -> int:
        """The first day, whole."""
        return self.since_us // DAY_US


def weigh(
    flows: Sequence[FlowShapes], new: Contract, replay: Replay, database: Database, window: PastWindow
) -> Remembered:
    """Raises StoreError."""
    remembered = Remembered()
    for flow in flows:
        shapes = [shape for shape in flow.shapes if shape.since(window.day)]
        if shapes and not flow.flow.type.startswith(OWN_TYPES):
            _flow(FlowShapes(flow.flow, shapes), new, replay, database, window, remembered)
    return remembered


def _flow(
    flow: FlowShapes, new: Contract, replay: Replay, database: Database, window: PastWindow, remembered: Remembered
) -> None:
    of = flow.flow
    weighed = history.weigh(flow.shapes, new.accepts.get(of.type), replay.adapter(of.agreement))
    opened = _OpenFlow(of, weighed.open, database, window)
    looked_at = opened.by_number(Replay.like(replay)) or opened.whole(Replay.like(replay), _count(flow.shapes, window))
    if looked_at.unknown:
        looked_at.replay.examples(of.source, of.type, of.agreement, weighed.open)
    evidence = looked_at.replay.of(of.source, of.type)
    evidence.fitting += max(0, _count(flow.shapes, window) - looked_at.count - looked_at.unknown)
    evidence.unknown += looked_at.unknown
    remembered.shapes += len(flow.shapes)
    remembered.proved += len(weighed.clear)
    remembered.messages += _count(flow.shapes, window)
    remembered.replayed += looked_at.count
    remembered.alike += looked_at.alike
    remembered.unknown += evidence.unknown
    known = remembered.evidence.get((of.source, of.type), Evidence())
    remembered.evidence[of.source, of.type] = known + evidence


class _LookedAt(msgspec.Struct, frozen=True):
    """What was replayed of a flow: how many messages. Of the others that no proof clears, `unknown` are left; `alike`
    of these have a shape of which every message that was looked at fails."""

    replay: Replay
    count: int
    unknown: int
    alike: int = 0


class _OpenFlow:
    """A flow, and those of its shapes of which it is not proved that every message is accepted."""

    def __init__(self, flow: Flow, shapes: Sequence[Shape], database: Database, window: PastWindow) -> None:
        self._flow, self._shapes, self._database, self._window = flow, shapes, database, window

    def by_number(self, replay: Replay) -> _LookedAt | None:
        """All messages of a rare shape, and of a common one the latest. None where these do not all fail: others of
        the shape may fail or not for their values alone, and the whole flow has to be looked at."""
        count = alike = 0
        for shape in self._shapes:
            of_shape = shape.since(self._window.day)
            is_rare = of_shape <= len(shape.numbers)
            numbers = shape.numbers if is_rare else shape.numbers[-SAMPLE:]
            if count + len(numbers) > self._window.most:
                return None
            replayed, failing = self._numbered(replay, numbers)
            if not is_rare and not 0 < replayed == failing:
                return None
            count += replayed
            alike += 0 if is_rare else of_shape - replayed
        return _LookedAt(replay, count, max(0, _count(self._shapes, self._window) - count), alike)

    def whole(self, replay: Replay, total: int) -> _LookedAt:
        """Every message of the flow, up to the limit."""
        since_us, most = self._window.day * DAY_US, self._window.most
        messages = stored.messages_of(self._database, self._flow, since_us=since_us, limit=most)
        count = self._values(replay, messages)
        return _LookedAt(replay, count, min(max(0, total - count), _count(self._shapes, self._window)))

    def _numbered(self, replay: Replay, numbers: Sequence[int]) -> tuple[int, int]:
        """How many of these messages are there, and how many of them fail."""
        evidence = replay.of(self._flow.source, self._flow.type)
        before = len(evidence.failing)
        since_us = self._window.day * DAY_US
        count = self._values(replay, stored.messages_numbered(self._database, numbers, since_us=since_us))
        return count, len(evidence.failing) - before

    def _values(self, replay: Replay, messages: Iterable[StoredMessage]) -> int:
        of = self._flow
        return replay.values(of.source, of.type, of.agreement, ((m.id, m.value) for m in messages), "stored")


def _count(shapes: Iterable[Shape], window: PastWindow) -> int:
    return sum(shape.since(window.day) for shape in shapes)
