"""Agreements that nothing can use any more: which they are, and their end.

Law: an agreement stays while any of these may look for it:

- a version that messages may be meant for: live and running, or the current one of its module, on both sides; where a
  side has no contract, what its pair goes by now;
- an agreement with a topic, which names those with its readers; a run of a pipeline, which has pinned it;
- a message that was sent under it: one may lie in the streams of the consumer, as long as something lies there that is
  older than when the agreement was first found to be of no other use (`Unused`, which the caller keeps).

What is removed by mistake, because a version came back at that moment, is decided anew when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import agreements, registry, sessions

# How long an agreement stays at the least, whatever becomes of its modules: a deployment that is taken back finds it.
KEPT_US = 7 * 86_400_000_000
# How long after nothing can use it any more a message may still be sent under it, by a clock that is wrong too.
LATE_US = 3_600_000_000
_REMOVED_AT_ONCE = 500


class _Uses(msgspec.Struct, frozen=True):
    """Who may use what now: the digests of each module's versions, the agreements that pairs go by, and those that runs
    of pipelines have pinned."""

    versions: Mapping[str, Collection[str]]
    current: Collection[str]
    pinned: Collection[str]


# Agreements that nothing but messages can use, by id, and since when that is known.
Unused: TypeAlias = dict[str, int]


def outdated(keys: Keys, unused_since: Unused, *, now_us: int) -> Operation[set[str]]:
    """The ids of those that nothing can use. Keeps `unused_since` up to date."""
    stored = (yield from agreements.everything(keys)).agreements
    candidates = yield from _candidates(keys, stored, now_us)
    for id_ in unused_since.keys() - {agreement.id for agreement in candidates}:
        del unused_since[id_]
    for agreement in candidates:
        unused_since.setdefault(agreement.id, now_us)
    late = [agreement for agreement in candidates if now_us - unused_since[agreement.id] > LATE_US]
    oldest = yield from _oldest(keys, {agreement.consumer for agreement in late})
    return {
        agreement.id
        for agreement in late
        if (first_us := oldest[agreement.consumer]) is None or first_us > unused_since[agreement.id] + LATE_US
    }


def remove(keys: Keys, ids: Iterable[str]) -> Operation[int]:
    """How many there were."""
    wanted, removed = sorted(ids), 0
    for start in range(0, len(wanted), _REMOVED_AT_ONCE):
        part = wanted[start : start + _REMOVED_AT_ONCE]
        removed += yield Command(("HDEL", keys.agreements, *part), on="control")
    return removed


def _candidates(keys: Keys, stored: Collection[Agreement], now_us: int) -> Operation[list[Agreement]]:
    """Those that were decided long ago, and that only messages can use."""
    if not any(_is_old(agreement, now_us) for agreement in stored):
        return []
    uses = yield from _uses(keys, now_us)
    unused = [agreement for agreement in stored if uses is not None and not _is_used(agreement, uses, now_us)]
    gone = {agreement.id for agreement in unused}
    # What an agreement with a topic names stays while that does.
    named = {id_ for agreement in stored if agreement.id not in gone for id_ in agreement.readers.values()}
    return [agreement for agreement in unused if agreement.id not in named]


def _uses(keys: Keys, now_us: int) -> Operation[_Uses | None]:
    """None where something in the registry cannot be read: nobody knows what that uses."""
    everyone = yield from registry.everyone(keys, now_ms=now_us // 1000)
    if everyone.unreadable:
        return None
    running = yield from sessions.everything(keys)
    return _Uses(
        {standing.record.module: {release.digest for release in standing.offered()} for standing in everyone.modules},
        {turn.agreement for pair in (yield from agreements.all_pairs(keys)) for turn in (*pair.current, *pair.rounds)},
        {leg.agreement for session in running if not session.is_over(now_us) for leg in session.whole.legs.values()},
    )


def _is_old(agreement: Agreement, now_us: int) -> bool:
    return now_us - agreement.decided_us > KEPT_US


def _is_used(agreement: Agreement, uses: _Uses, now_us: int) -> bool:
    if not _is_old(agreement, now_us) or agreement.id in uses.pinned:
        return True
    sides = [(agreement.producer, agreement.producer_digest), (agreement.consumer, agreement.consumer_digest)]
    declared = [side for side in sides if side[1]]
    if any(digest not in uses.versions.get(module, ()) for module, digest in declared):
        return False
    return len(declared) == len(sides) or agreement.id in uses.current


def _oldest(keys: Keys, consumers: Collection[str]) -> Operation[dict[str, int | None]]:
    """When the oldest message was written that lies before each of these, delayed and dead ones too."""
    oldest: dict[str, int | None] = {}
    for consumer in sorted(consumers):
        stream = keys.stream(consumer)
        streams = [stream] if consumer.startswith("topic:") else [stream, keys.dead(consumer)]
        first = tuple(Command(("XRANGE", key, "-", "+", "COUNT", 1)) for key in streams)
        replies = yield Batch((*first, Command(("ZCARD", keys.later(consumer)))))
        for reply in replies:
            if isinstance(reply, TransportError):
                raise reply
        *entries, delayed = replies
        moments = [int(entry[0][0].partition(b"-")[0]) * 1000 for entry in entries if entry]
        oldest[consumer] = 0 if delayed else min(moments, default=None)
    return oldest
