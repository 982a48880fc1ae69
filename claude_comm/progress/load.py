"""How much goes through each module and hop: from sums that only grow, as they were and as they are.

Law: pure. Without an earlier sample there is no rate, and None says so; a sum that shrank (a rebuilt projection) is
none either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.names import TOPIC_PREFIX

Order: TypeAlias = Literal["module", "handled", "sent", "lag", "failed", "latency"]
Pair: TypeAlias = tuple[str, str]


class PairSums(msgspec.Struct, frozen=True, gc=False):
    """Sums for one source and target since the projection began: messages sent, deliveries handled and buried, and the
    total latency of those handled (microseconds); `retrying` is how many wait for another attempt now."""

    messages: int = 0
    handled: int = 0
    failed: int = 0
    latency_us: int = 0
    retrying: int = 0


class LoadSample(msgspec.Struct, frozen=True):
    """The sums at one moment, by a clock that never goes back."""

    at_s: float
    pairs: Mapping[Pair, PairSums]


class Backlog(msgspec.Struct, frozen=True):
    """What waits for one module: messages not yet delivered to it (`lag`), and delivered but not acked (`pending`)."""

    lag: int = 0
    pending: int = 0
    instances: int = 0


class ModuleLoad(msgspec.Struct, frozen=True):
    """One module: deliveries handled, sent and buried per second, all that it has buried, those that wait for another
    attempt, and its backlog. `mean_ms` is the mean time from sending to the end of handling since the last sample."""

    module: str
    handled_per_s: float | None
    sent_per_s: float | None
    failed_per_s: float | None
    mean_ms: float | None
    failed: int
    retrying: int
    backlog: Backlog


class HopLoad(msgspec.Struct, frozen=True):
    """One source and consumer: deliveries handled a second and how long they took on average; over all time where
    there were none since the sample before."""

    source: str
    target: str
    per_s: float | None
    mean_ms: float | None
    failed: int


_NONE = PairSums()


def module_loads(before: LoadSample | None, now: LoadSample, backlogs: Mapping[str, Backlog]) -> list[ModuleLoad]:
    """Every module that sent or received anything, or that lives; in no order."""
    modules = {name for pair in now.pairs for name in pair if not name.startswith(TOPIC_PREFIX)} | backlogs.keys()
    into, out_of = _by_side(now, 1), _by_side(now, 0)
    into_before, out_before = (_by_side(before, side) if before else {} for side in (1, 0))
    span_s = now.at_s - before.at_s if before else 0.0
    return [
        _module(
            module,
            (into_before.get(module, _NONE), into.get(module, _NONE)),
            (out_before.get(module, _NONE), out_of.get(module, _NONE)),
            span_s,
            backlogs.get(module, Backlog()),
        )
        for module in modules
    ]


def hop_loads(before: LoadSample | None, now: LoadSample) -> list[HopLoad]:
    """Every pair of which a delivery ended, the slowest first: those that are active before the others."""
    span_s = now.at_s - before.at_s if before else 0.0
    hops = []
    for pair, sums in now.pairs.items():
        if sums.handled or sums.failed:
            earlier = before.pairs.get(pair, _NONE) if before else _NONE
            rate = _rate(earlier.handled, sums.handled, span_s)
            mean_ms = _mean_ms(earlier, sums) if rate else _mean_ms(_NONE, sums)
            hops.append(HopLoad(*pair, rate, mean_ms, sums.failed))
    return sorted(hops, key=lambda hop: (not hop.per_s, -(hop.mean_ms or 0), hop.source, hop.target))


def ordered(loads: Sequence[ModuleLoad], order: Order) -> list[ModuleLoad]:
    """By name, or the most of what is asked for first."""
    keys = {
        "module": lambda load: (0.0, load.module),
        "handled": lambda load: (-(load.handled_per_s or 0), load.module),
        "sent": lambda load: (-(load.sent_per_s or 0), load.module),
        "lag": lambda load: (-(load.backlog.lag + load.backlog.pending), load.module),
        "failed": lambda load: (-(load.failed_per_s or 0), -load.failed, load.module),
        "latency": lambda load: (-(load.mean_ms or 0), load.module),
    }
    return sorted(loads, key=keys[order])


def _module(
    module: str, into: tuple[PairSums, PairSums], out_of: tuple[PairSums, PairSums], span_s: float, backlog: Backlog
) -> ModuleLoad:
    earlier, now = into
    return ModuleLoad(
        module,
        handled_per_s=_rate(earlier.handled, now.handled, span_s),
        sent_per_s=_rate(out_of[0].messages, out_of[1].messages, span_s),
        failed_per_s=_rate(earlier.failed, now.failed, span_s),
        mean_ms=_mean_ms(earlier, now) if span_s else None,
        failed=now.failed,
        retrying=now.retrying,
        backlog=backlog,
    )


def _by_side(sample: LoadSample, side: int) -> dict[str, PairSums]:
    """The sums of all pairs that have a module on this side: 0 its sending, 1 its receiving."""
    sums: dict[str, PairSums] = {}
    for pair, own in sample.pairs.items():
        total = sums.get(pair[side], _NONE)
        sums[pair[side]] = PairSums(
            total.messages + own.messages,
            total.handled + own.handled,
            total.failed + own.failed,
            total.latency_us + own.latency_us,
            total.retrying + own.retrying,
        )
    return sums


def _rate(before: int, now: int, span_s: float) -> float | None:
    return (now - before) / span_s if span_s > 0 and now >= before else None


def _mean_ms(before: PairSums, now: PairSums) -> float | None:
    handled = now.handled - before.handled
    return max(now.latency_us - before.latency_us, 0) / handled / 1000 if handled > 0 else None
