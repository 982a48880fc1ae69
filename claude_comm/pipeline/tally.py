"""How far a run is: the results, the failures, and what each step has done, folded from what the streams say.

Law: pure, and in any order: what is told twice counts once, and a result that comes after a failure takes its place (a
buried message was redriven). Results are given out in the order of the inputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from claude_comm.delivery.reply import FAILURE_TYPE
from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError
from claude_comm.pipeline import ids, notice, route
from claude_comm.pipeline.ids import Carries
from claude_comm.pipeline.notice import FailureNotice
from claude_comm.pipeline.plan import steps_by_edge
from claude_comm.pipeline.route import FAILED_TYPE, SKIPPED_TYPE
from claude_comm.pipeline.session import RunSession
from claude_comm.progress.events import Buried, Event, Handled, Retried, Settled

# Over how many seconds the rate is taken from which the time that is left is estimated.
RATE_S = 20.0


class Finished(msgspec.Struct, frozen=True, tag="done", tag_field="status", kw_only=True):
    """An input whose way is over, and what came out: of several ends an object with what each has returned."""

    input: int
    result: Any


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="status", kw_only=True, omit_defaults=True):
    """An input that a step gave up on; `message` is the message that it has buried."""

    input: int
    step: str
    reason: str
    path: str = ""
    error: str = ""
    module: str = ""
    message: str = ""


class Untaken(msgspec.Struct, frozen=True, tag="skipped", tag_field="status", kw_only=True):
    """An input for which no branch was taken: nothing came out."""

    input: int


Ended: TypeAlias = Finished | Failed | Untaken


class StepCount(msgspec.Struct, frozen=True, kw_only=True):
    """What one step has done: messages handled, attempts that failed and will be tried again, messages given up on."""

    step: str
    module: str
    handled: int
    retried: int
    failed: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is at one moment. `total` is None while the inputs are not all known, `left_s` while nobody can
    tell."""

    sent: int
    done: int
    failed: int
    total: int | None
    rate: float | None
    left_s: float | None
    steps: list[StepCount]


class RunTally:
    """The fold of one run."""

    def __init__(self, session: RunSession) -> None:
        whole = session.whole
        self._session, self._ends = session, whole.collector.after
        self._steps = steps_by_edge(whole)
        middle = list(whole.legs.values())[1:-1]
        self._modules = {leg.step: leg.target for leg in middle}
        self._ended: dict[int, Ended] = {}
        self._parts: dict[int, dict[int, Any]] = {}
        self._handled: dict[tuple[int, int, int], bytearray] = {}
        self._counts = {leg.step: {"handled": 0, "retried": 0, "failed": 0} for leg in middle}
        self._given_out = 0
        self._moments: deque[tuple[float, int]] = deque()
        self.done = self.failed = 0

    @property
    def terminal(self) -> int:
        """How many inputs have ended."""
        return len(self._ended)

    def has_ended(self, number: int) -> bool:
        return number in self._ended

    def refused(self, number: int, step: str, reason: str, path: str) -> None:
        """An input that its first step does not accept: it was not sent."""
        self._end(Failed(input=number, step=step, reason=reason, path=path))

    def collected(self, envelope: Envelope) -> None:
        """What came to the collector; messages of others are passed over."""
        place = ids.read(envelope.id)
        if place is None or not self._session.owns(place):
            return
        if envelope.type == FAILURE_TYPE:
            self._fail(place.input, notice.read(envelope))
        elif self._ends:
            self._part(place.input, envelope)
        elif envelope.type == SKIPPED_TYPE:
            self._end(Untaken(input=place.input))
        else:
            self._end(Finished(input=place.input, result=_payload(envelope)))

    def happened(self, event: Event) -> None:
        """An event of one of the modules; what it says of messages of others is passed over."""
        if isinstance(event, Handled):
            for settled in event.deliveries:
                self._count(settled, "handled")
        elif isinstance(event, Retried):
            self._count(event.delivery, "retried")
        elif isinstance(event, Buried):
            self._count(event.delivery, "failed")

    def results(self, *, all_: bool = False) -> Iterator[Ended]:
        """The inputs that have ended and follow those given out before, in their order; with `all_` those behind gaps,
        too."""
        while self._given_out in self._ended:
            yield self._given(self._given_out)
            self._given_out += 1
        if all_:
            yield from map(self._given, sorted(number for number in self._ended if number >= self._given_out))

    def failures(self) -> list[Failed]:
        """By input."""
        return [ended for _, ended in sorted(self._ended.items()) if isinstance(ended, Failed)]

    def progress(self, now_s: float, *, sent: int, total: int | None) -> Progress:
        """At a moment of a clock that never goes back."""
        self._moments.append((now_s, self.terminal))
        while len(self._moments) > 2 and now_s - self._moments[1][0] > RATE_S:
            self._moments.popleft()
        since_s, before = self._moments[0]
        rate = (self.terminal - before) / (now_s - since_s) if now_s > since_s else None
        left = None if total is None else total - self.terminal
        return Progress(
            sent=sent,
            done=self.done,
            failed=self.failed,
            total=total,
            rate=rate,
            left_s=left / rate if left is not None and rate else (0.0 if left == 0 else None),
            steps=[StepCount(step=step, module=self._modules[step], **counts) for step, counts in self._counts.items()],
        )

    def _count(self, settled: Settled, what: str) -> None:
        place = ids.read(settled.id)
        if place is None or not self._session.owns(place) or place.carries is not Carries.VALUE:
            return
        step = self._steps.get(place.edge)
        if step is None or step not in self._counts:
            return
        if what == "handled" and not self._is_new(place):
            return
        self._counts[step][what] += 1

    def _is_new(self, place: ids.MessagePlace) -> bool:
        """Whether this was not counted yet: a handler may be done twice."""
        item = place.started_ms - self._session.started_ms
        seen = self._handled.setdefault((place.edge, place.turn, item), bytearray())
        if len(seen) <= place.input:
            seen.extend(bytes(place.input + 1 - len(seen)))
        if seen[place.input]:
            return False
        seen[place.input] = 1
        return True

    def _part(self, number: int, envelope: Envelope) -> None:
        parts = self._parts.setdefault(number, {})
        here = envelope.route[0] if envelope.route else ""
        part = _part_of(here)
        if not 0 <= part < len(self._ends):
            return
        if envelope.type != FAILED_TYPE:
            parts[part] = _SKIPPED if envelope.type == SKIPPED_TYPE else _payload(envelope)
        if len(parts) < len(self._ends):
            return
        result = {name: parts[at] for at, name in enumerate(self._ends) if parts[at] is not _SKIPPED}
        del self._parts[number]
        self._end(Finished(input=number, result=result) if result else Untaken(input=number))

    def _fail(self, number: int, said: FailureNotice) -> None:
        if not isinstance(self._ended.get(number), Finished | Untaken):
            self._end(
                Failed(
                    input=number,
                    step=said.step,
                    reason=said.reason,
                    path=said.path,
                    error=said.error,
                    module=said.module,
                    message=said.message,
                )
            )

    def _given(self, number: int) -> Ended:
        """The outcome of an input; its result is not kept once it was given out."""
        ended = self._ended[number]
        if isinstance(ended, Finished):
            self._ended[number] = Untaken(input=number)
        return ended

    def _end(self, ended: Ended) -> None:
        before = self._ended.get(ended.input)
        if isinstance(before, Finished | Untaken):
            return
        self.failed += isinstance(ended, Failed) - isinstance(before, Failed)
        self.done += not isinstance(ended, Failed)
        self._ended[ended.input] = ended


def _payload(envelope: Envelope) -> Any:
    try:
        return envelope.payload()
    except DecodeError as error:
        return {"unreadable": str(error)}


def _part_of(text: str) -> int:
    try:
        return route.read((text,)).here.part
    except DecodeError:
        return -1


_SKIPPED = object()
