"""The traffic of some days, weighed by its shapes; what no proof clears is replayed from the projection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from claude_comm.impact import history
from claude_comm.impact.blocks import DAY_US, Block
from claude_comm.impact.replay import OWN_TYPES, Evidence, Replay
from claude_comm.impact.shapes import Shape
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.store import blocks
from claude_comm.store import shapes as stored
from claude_comm.store.database import Database
from claude_comm.store.shapes import Flow, FlowShapes, StoredMessage

# Of so many messages that are proved to fail it is said why; as many are replayed as quickly as that is proved.
SAMPLE = 16


class Remembered(msgspec.Struct):
    """What the shapes were found to be: how many, of how many messages; how many were proved to fit, and what became
    of the rest. `refused` of the messages are proved to fail, without a look at each."""

    shapes: int = 0
    proved: int = 0
    messages: int = 0
    replayed: int = 0
    refused: int = 0
    unknown: int = 0
    evidence: dict[tuple[str, str], Evidence] = {}

    @property
    def sentence(self) -> str:
        words = f"{self.messages:,} message(s) in {self.shapes:,} shape(s), {self.proved:,} of them proved"
        if self.replayed:
            words += f"; {self.replayed:,} message(s) of the others replayed"
        words += f"; {self.refused:,} proved to be refused" if self.refused else ""
        return words + (f"; {self.unknown:,} could not be looked at" if self.unknown else "")


class PastWindow(msgspec.Struct, frozen=True):
    """Since when, how many messages of one flow may be replayed, and whether each one that fails is named, or of those
    that are proved to fail only the latest."""

    since_us: int
    most: int
    name_all: bool = False

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
    looked_at = _LookedAt(Replay.like(replay))
    opened = _OpenFlow(of, database, window, looked_at)
    if weighed.open and not opened.are_in_blocks(weighed.open):
        opened.whole(weighed.open, _count(flow.shapes, window))
    else:
        for shape in weighed.open:
            opened.shape(shape, new.accepts.get(of.type))
    if looked_at.unknown:
        looked_at.replay.examples(of.source, of.type, of.agreement, weighed.open)
    evidence = looked_at.replay.of(of.source, of.type)
    evidence.fitting += max(0, _count(flow.shapes, window) - looked_at.total)
    evidence.unknown += looked_at.unknown
    remembered.shapes += len(flow.shapes)
    remembered.proved += len(weighed.clear)
    remembered.messages += _count(flow.shapes, window)
    evidence.unnamed += looked_at.refused - looked_at.named
    remembered.replayed += looked_at.replayed
    remembered.refused += looked_at.refused
    remembered.unknown += evidence.unknown
    known = remembered.evidence.get((of.source, of.type), Evidence())
    remembered.evidence[of.source, of.type] = known + evidence


class _LookedAt(msgspec.Struct):
    """What was looked at of a flow: how many messages were replayed, how many are proved to be `refused` (and how many
    of these are `named`), and how many of which nothing is proved are not there."""

    replay: Replay
    replayed: int = 0
    refused: int = 0
    named: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.replayed + self.refused + self.unknown


class _OpenFlow:
    """A flow, of some shapes of which it is not proved that every message is accepted."""

    def __init__(self, flow: Flow, database: Database, window: PastWindow, looked_at: _LookedAt) -> None:
        self._flow, self._database, self._window, self._looked_at = flow, database, window, looked_at
        self._since_us = window.day * DAY_US

    def are_in_blocks(self, shapes: Sequence[Shape]) -> bool:
        """Whether every message of these shapes that is still there is in a block."""
        if blocks.are_complete(self._database):
            return True
        return all(self._in_blocks(self._blocks(shape)) >= shape.since(self._window.day) for shape in shapes)

    def shape(self, shape: Shape, accepted: Schema | None) -> None:
        """Looks at those messages of a shape that may not be accepted, the latest first."""
        looked_at, of = self._looked_at, self._flow
        whole = self._blocks(shape)
        # What is in no block any more was pruned.
        looked_at.unknown += shape.since(self._window.day) - self._in_blocks(whole)
        if self._in_blocks(whole) > SAMPLE and looked_at.replay.refuses_all(of.type, of.agreement, shape.facts):
            self._refused(whole)
            return
        suspected = history.suspects(whole, accepted, looked_at.replay.adapter(of.agreement), shape.facts)
        suspected.sort(key=lambda block: block.base, reverse=True)
        for block in suspected:
            room = max(0, self._window.most - looked_at.replayed)
            replayed = self._replay(self._numbers(block)[-room:]) if room else 0
            looked_at.unknown += block.since(self._window.day) - replayed

    def whole(self, shapes: Sequence[Shape], total: int) -> None:
        """Every message of the flow, up to the limit: what an earlier release stored is in no blocks."""
        messages = stored.messages_of(self._database, self._flow, since_us=self._since_us, limit=self._window.most)
        replayed = self._values(messages)
        self._looked_at.unknown += min(max(0, total - replayed), _count(shapes, self._window))

    def _refused(self, some: Sequence[Block]) -> None:
        """Counts these messages, which are proved to be refused. The latest are looked at to say why, and the others
        named where that is asked for."""
        looked_at, of = self._looked_at, self._flow
        replayed = self._replay(self._numbers(some[-1])[-SAMPLE:])
        refused = self._in_blocks(some) - replayed
        looked_at.refused += refused
        if self._window.name_all:
            ids = (id_ for block in some for id_ in self._ids(self._numbers(block)))
            looked_at.named += min(refused, looked_at.replay.name(of.source, of.type, ids) - replayed)

    def _blocks(self, shape: Shape) -> list[Block]:
        of = self._flow
        return blocks.of_shape(
            self._database, (of.source, of.target, of.type, of.agreement, of.stream), shape.key, since_us=self._since_us
        )

    def _in_blocks(self, some: Iterable[Block]) -> int:
        return sum(block.since(self._window.day) for block in some)

    def _numbers(self, block: Block) -> list[int]:
        return blocks.numbers_of(self._database, block)

    def _ids(self, numbers: Sequence[int]) -> Iterable[str]:
        return stored.ids_numbered(self._database, numbers, since_us=self._since_us)

    def _replay(self, numbers: Sequence[int]) -> int:
        """How many of these messages are there."""
        return self._values(stored.messages_numbered(self._database, numbers, since_us=self._since_us))

    def _values(self, messages: Iterable[StoredMessage]) -> int:
        of = self._flow
        count = self._looked_at.replay.values(of.source, of.type, of.agreement, messages, "stored")
        self._looked_at.replayed += count
        return count


def _count(shapes: Iterable[Shape], window: PastWindow) -> int:
    return sum(shape.since(window.day) for shape in shapes)
