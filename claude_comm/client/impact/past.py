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
from claude_comm.store.shapes import FlowShapes


class Remembered(msgspec.Struct):
    """What the shapes were found to be: how many, of how many messages; how many were proved to fit, and what became
    of the rest."""

    shapes: int = 0
    proved: int = 0
    messages: int = 0
    replayed: int = 0
    unknown: int = 0
    evidence: dict[tuple[str, str], Evidence] = {}

    @property
    def sentence(self) -> str:
        words = f"{self.messages:,} message(s) in {self.shapes:,} shape(s), {self.proved:,} of them proved"
        if self.replayed:
            words += f"; {self.replayed:,} message(s) of the others replayed"
        return words + (f"; {self.unknown:,} could not be looked at" if self.unknown else "")


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
    total, unclear = _count(flow.shapes, window), _count(weighed.open, window)
    remembered.shapes += len(flow.shapes)
    remembered.proved += len(weighed.clear)
    remembered.messages += total
    evidence = remembered.evidence.setdefault((of.source, of.type), Evidence())
    replayed = unknown = 0
    if weighed.open:
        messages = stored.messages_of(database, of, since_us=window.day * DAY_US, limit=window.most)
        own = Replay.like(replay)
        replayed = own.values(of.source, of.type, of.agreement, ((m.id, m.value) for m in messages), "stored")
        unknown = min(max(0, total - replayed), unclear)
        if unknown:
            own.examples(of.source, of.type, of.agreement, weighed.open)
        remembered.evidence[of.source, of.type] = evidence + own.of(of.source, of.type)
        evidence = remembered.evidence[of.source, of.type]
    evidence.fitting += max(0, total - replayed - unknown)
    evidence.unknown += unknown
    remembered.replayed += replayed
    remembered.unknown += evidence.unknown


def _count(shapes: Iterable[Shape], window: PastWindow) -> int:
    return sum(shape.since(window.day) for shape in shapes)
