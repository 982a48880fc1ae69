"""The dead streams: read, redriven, purged.

Law: one page a command, one hash tag a command. Each walk ends where the stream ended when it began, so that a
message which is redriven and fails again is not met twice. A redriven entry leaves the dead stream in the step that
puts the message into the inbox: killed anywhere nothing is lost, and a second run finds nothing to move twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from claude_comm.delivery.burial import Burial, Where, read
from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.names import Keys, is_name
from claude_comm.ops import door, follow, news
from claude_comm.ops.when_full import force

# Entries of a page: with the largest messages that is still memory that a command may take.
PAGE = 100


class Place(msgspec.Struct, frozen=True):
    """Where a walk over one module's dead stream is. It is over when `after` is empty."""

    module: str
    after: str
    last: str


def modules(keys: Keys) -> Operation[list[str]]:
    """Every module that has buried something, by name: those that ever read, and have a dead stream."""
    return sorted((yield from lengths(keys)))


def lengths(keys: Keys) -> Operation[dict[str, int]]:
    """How much each of them has buried."""
    announced = yield from follow.announced(keys)
    names = sorted({stream.name for stream in announced.streams if stream.kind != "topic"})
    if not names:
        return {}
    counts = yield Batch(tuple(Command(("XLEN", keys.dead(name))) for name in names))
    return {name: count for name, count in zip(names, counts, strict=True) if isinstance(count, int) and count}


def drop_oldest(keys: Keys, module: str, keep: int) -> Operation[int]:
    """Drops what the module has buried beyond so many, the oldest first; how many. They are counted before they go, so
    that whoever is killed in between has counted too many, and has dropped none in silence."""
    over = int((yield Command(("XLEN", keys.dead(module))))) - keep
    if over <= 0:
        return 0
    yield from force(Command(("HINCRBY", keys.dropped, module, over), on="control"))
    gone = int((yield Command(("XTRIM", keys.dead(module), "MAXLEN", keep))))
    if gone != over:
        yield from force(Command(("HINCRBY", keys.dropped, module, gone - over), on="control"))
    return gone


def dropped(keys: Keys) -> Operation[dict[str, int]]:
    """How many each module has lost so."""
    counts = door.fields((yield Command(("HGETALL", keys.dropped), on="control")))
    numbers = {door.name(name): door.number(text) for name, text in sorted(counts.items())}
    return {name: number for name, number in numbers.items() if number and is_name(name)}


def begin(keys: Keys, module: str) -> Operation[Place]:
    """A walk from the oldest burial to the one that is the latest now."""
    newest = yield Command(("XREVRANGE", keys.dead(module), "+", "-", "COUNT", 1))
    last = newest[0][0].decode() if newest else ""
    return Place(module, "-" if last else "", last)


def page(keys: Keys, place: Place, *, max_bytes: int) -> Operation[tuple[list[Burial], Place]]:
    """The next burials of the walk, and where it goes on."""
    if not place.after:
        return [], place
    entries = yield Command(("XRANGE", keys.dead(place.module), place.after, place.last, "COUNT", PAGE))
    burials = [
        read(place.module, id_.decode(), dict(zip(pairs[::2], pairs[1::2], strict=True)), max_bytes=max_bytes)
        for id_, pairs in entries
    ]
    following = f"({burials[-1].id}" if len(burials) == PAGE else ""
    return burials, Place(place.module, following, place.last)


def redrive(
    keys: Keys,
    module: str,
    chosen: Where,
    event: Callable[[Burial], bytes],
    *,
    limit: int | None,
    max_bytes: int,
) -> Operation[int]:
    """Moves the chosen burials, the oldest first, back into the module's inbox; how many."""
    inbox, events = keys.inbox(module), keys.events(module)
    moved, place = 0, (yield from begin(keys, module))
    while place.after and (limit is None or moved < limit):
        burials, place = yield from page(keys, place, max_bytes=max_bytes)
        meant = _chosen(burials, chosen, limit, moved)
        if meant:
            yield from news.announce(keys, (inbox, events))
            pairs = [part for burial in meant for part in (burial.id, event(burial))]
            moved += int((yield Script("redrive", (keys.dead(module), inbox, events), tuple(pairs))))
    return moved


def purge(keys: Keys, module: str, chosen: Where, *, max_bytes: int) -> Operation[int]:
    """Deletes the chosen burials for good; how many."""
    gone, place = 0, (yield from begin(keys, module))
    while place.after:
        burials, place = yield from page(keys, place, max_bytes=max_bytes)
        ids = [burial.id for burial in _chosen(burials, chosen, None, 0)]
        if ids:
            gone += int((yield Command(("XDEL", keys.dead(module), *ids))))
    return gone


def _chosen(burials: Sequence[Burial], chosen: Where, limit: int | None, before: int) -> list[Burial]:
    matching = [burial for burial in burials if chosen.matches(burial)]
    return matching if limit is None else matching[: limit - before]
