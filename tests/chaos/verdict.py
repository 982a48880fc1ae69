"""Counting up: what was tried, returned, handled and stored, and what of it breaks a guarantee.

Law: pure, over what the children recorded, the rows of the projections and the dead streams.

- **lost**: a publish that returned and was never handled, or is missing from a projection. What a projection has must
  have been handled as well, and the reverse.
- **doubled**: the same number from the same source to the same target in two rows of one projection.
- **strange**: a row, or a handling, of something that no publisher tried to send.
- **disordered**: a plain message that was stored for the first time after a later one of the same source on the same
  stream; or that the one instance of an ordered consumer handled for the first time after a later one.
- **ended**: a process that ended though nobody asked it, or did not end well when it was asked; **idle**: one that did
  not do its work again in time after the last fault; **endless**: a key on the server without an end that is not listed
  among those that have none.
- **silent**: a bad entry that is not on the dead stream or, unreadable, not in a projection; **unjust**: a good one
  that was buried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from tests.chaos.record import PLAIN

# Source, target, number.
Known = tuple[str, str, int]
EXAMPLES = 5


class Row(msgspec.Struct, frozen=True):
    """A message in a projection, in the order of storing; `sound` tells whether its payload is the one sent."""

    source: str
    target: str
    type: str
    stream: str
    number: int
    sound: bool


class Handled(msgspec.Struct, frozen=True):
    """One handling, in the order in which the consumer's module recorded it."""

    known: Known
    type: str
    at_ns: int


class BadEntry(msgspec.Struct, frozen=True):
    """A bad entry that the harness wrote; `group` buries it (empty on an events stream, which nobody consumes)."""

    stream: str
    entry_id: str
    kind: str
    group: str
    readable: bool


class Evidence(msgspec.Struct):
    """Everything that is weighed."""

    tried: dict[Known, str] = msgspec.field(default_factory=dict)
    returned: set[Known] = msgspec.field(default_factory=set)
    raised: set[Known] = msgspec.field(default_factory=set)
    # By module; the module that handles a target.
    handled: dict[str, list[Handled]] = msgspec.field(default_factory=dict)
    groups: dict[str, str] = msgspec.field(default_factory=dict)
    ordered: set[str] = msgspec.field(default_factory=set)
    failed_once: int = 0
    strange_handled: list[str] = msgspec.field(default_factory=list)
    # By projection.
    stored: dict[str, list[Row]] = msgspec.field(default_factory=dict)
    unreadable: dict[str, set[tuple[str, str]]] = msgspec.field(default_factory=dict)
    bad: list[BadEntry] = msgspec.field(default_factory=list)
    buried: set[tuple[str, str]] = msgspec.field(default_factory=set)
    # Buried entries that were not bad: their reasons.
    unjust: list[str] = msgspec.field(default_factory=list)
    # Messages that the server itself lost, having confirmed them, and that an outbox sent again.
    sent_again: int = 0
    ended: list[str] = msgspec.field(default_factory=list)
    idle: list[str] = msgspec.field(default_factory=list)
    endless: list[str] = msgspec.field(default_factory=list)
    restless: str = ""
    quiet_ns: tuple[int, int] = (0, 0)


class Findings(msgspec.Struct):
    """The figures, and every breach as a sentence with examples."""

    publishes: int
    returned: int
    raised: int
    handled: int
    handled_again: int
    failed_once: int
    stored: int
    bad_entries: int
    lost: int
    doubled: int
    strange: int
    disordered: int
    silent: int
    unjust: int
    ended: int
    idle: int
    endless: int
    sent_again_after_loss: int
    longest_pause_s: dict[str, float]
    breaches: list[str]

    @property
    def green(self) -> bool:
        return not self.breaches


def weigh(evidence: Evidence) -> Findings:
    """The verdict."""
    breaches: list[str] = [*evidence.ended, *([evidence.restless] if evidence.restless else [])]
    for what, which in (("does not work again", evidence.idle), ("without an end", evidence.endless)):
        breaches += [_sentence(what, which)] if which else []
    first = {module: _first(handled) for module, handled in evidence.handled.items()}
    lost = _lost(evidence, first, breaches)
    doubled = _doubled(evidence, breaches)
    strange = _strange(evidence, breaches)
    disordered = _disordered(evidence, breaches)
    silent = _silent(evidence, breaches)
    if evidence.unjust:
        breaches.append(_sentence("good messages were buried", evidence.unjust))
    everything = sum(len(handled) for handled in evidence.handled.values())
    return Findings(
        publishes=len(evidence.tried),
        returned=len(evidence.returned),
        raised=len(evidence.raised),
        handled=sum(len(known) for known in first.values()),
        handled_again=everything - sum(len(known) for known in first.values()),
        failed_once=evidence.failed_once,
        stored=max((len(rows) for rows in evidence.stored.values()), default=0),
        bad_entries=len(evidence.bad),
        lost=lost,
        doubled=doubled,
        strange=strange,
        disordered=disordered,
        silent=silent,
        unjust=len(evidence.unjust),
        ended=len(evidence.ended),
        idle=len(evidence.idle),
        endless=len(evidence.endless),
        sent_again_after_loss=evidence.sent_again,
        longest_pause_s={module: _pause_s(handled, evidence) for module, handled in evidence.handled.items()},
        breaches=breaches,
    )


def _first(handled: Iterable[Handled]) -> dict[Known, int]:
    return {known: index for index, known in enumerate(dict.fromkeys(one.known for one in handled))}


def _lost(evidence: Evidence, first: Mapping[str, Mapping[Known, int]], breaches: list[str]) -> int:
    stored = {name: _known(rows) for name, rows in evidence.stored.items()}
    seen = set().union(*stored.values(), *first.values())
    lost = 0
    for name, known in stored.items():
        missing = (evidence.returned | seen) - known
        lost += len(missing)
        if missing:
            breaches.append(_sentence(f"missing from projection {name}", missing))
    for target, module in evidence.groups.items():
        due = {known for known in evidence.returned | seen if known[1] == target}
        missing = due - first.get(module, {}).keys()
        lost += len(missing)
        if missing:
            breaches.append(_sentence(f"never handled by {module}", missing))
    return lost


def _doubled(evidence: Evidence, breaches: list[str]) -> int:
    doubled = 0
    for name, rows in evidence.stored.items():
        times = Counter((row.source, row.target, row.number) for row in rows)
        twice = [known for known, count in times.items() if count > 1]
        doubled += len(twice)
        if twice:
            breaches.append(_sentence(f"more than once in projection {name}", twice))
    return doubled


def _strange(evidence: Evidence, breaches: list[str]) -> int:
    found = list(evidence.strange_handled)
    for name, rows in evidence.stored.items():
        for row in rows:
            known = (row.source, row.target, row.number)
            if evidence.tried.get(known) != row.type or not row.sound:
                found.append(f"{name}: {known}")
    for handled in evidence.handled.values():
        found += [f"handled {one.known}" for one in handled if evidence.tried.get(one.known) != one.type]
    if found:
        breaches.append(_sentence("never sent, and yet there", found))
    return len(found)


def _disordered(evidence: Evidence, breaches: list[str]) -> int:
    late = []
    for name, rows in evidence.stored.items():
        plain = [((row.source, row.target, row.number), row.stream) for row in rows if row.type == PLAIN]
        late += [f"stored in {name}: {known}" for known in _late(plain)]
    for module in evidence.ordered:
        plain = [(one.known, module) for one in evidence.handled.get(module, []) if one.type == PLAIN]
        late += [f"handled by {module}: {known}" for known in _late(plain)]
    if late:
        breaches.append(_sentence("out of order", late))
    return len(late)


def _late(seen: Iterable[tuple[Known, str]]) -> list[Known]:
    """What came for the first time after a higher number of its source in its place."""
    highest: dict[tuple[str, str], int] = {}
    had: set[Known] = set()
    late = []
    for known, place in seen:
        if known in had:
            continue
        had.add(known)
        source, _, number = known
        if number < highest.get((source, place), -1):
            late.append(known)
        else:
            highest[source, place] = number
    return late


def _silent(evidence: Evidence, breaches: list[str]) -> int:
    silent = [
        f"{bad.kind} at {bad.stream} {bad.entry_id}: not buried"
        for bad in evidence.bad
        if bad.group and (bad.stream, bad.entry_id) not in evidence.buried
    ]
    for name, found in evidence.unreadable.items():
        silent += [
            f"{bad.kind} at {bad.stream} {bad.entry_id}: not in projection {name}"
            for bad in evidence.bad
            if not bad.readable and (bad.stream, bad.entry_id) not in found
        ]
    if silent:
        breaches.append(_sentence("dropped in silence", silent))
    return len(silent)


def _pause_s(handled: Sequence[Handled], evidence: Evidence) -> float:
    """The longest time in which the module handled nothing, while messages were published."""
    start, end = evidence.quiet_ns
    moments = sorted([start, *(one.at_ns for one in handled if start <= one.at_ns <= end), end])
    return round(max((b - a for a, b in pairwise(moments)), default=0) / 1e9, 2)


def _known(rows: Iterable[Row]) -> set[Known]:
    return {(row.source, row.target, row.number) for row in rows}


def _sentence(what: str, found: Iterable[object]) -> str:
    listed = sorted(map(str, found))
    more = f" and {len(listed) - EXAMPLES} more" if len(listed) > EXAMPLES else ""
    return f"{what}: {len(listed)}: {'; '.join(listed[:EXAMPLES])}{more}"
