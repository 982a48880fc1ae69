"""News: which streams are written to, told by those who write, so that nobody has to ask every stream.

Law: news is a hint and no record. Whoever appends to a stream has told of it within the last `TELL_EVERY_S`; whoever
follows keeps a stream awake for `AWAKE_S` after news of it, which is three times as long, so what is appended in
between is found as well. News that is lost (an older release writes, a registry was emptied, a process slept between
the telling and the writing) costs time and never a message: whoever follows looks at all streams from time to time.

Theory of operation. With 5,000 modules there are 10,000 streams, of which few are written to. A projection or a janitor
that asks each of them each second takes a third of a core, and the server as much. So a writer adds the keys of its
streams to one short stream, beside the set in which it announces them: one command for a whole flight, and none for
five seconds after that, so a message of a busy publisher costs nothing. A follower reads that stream with all others
that are awake, so news wakes it as soon as a message would.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import msgspec

from claude_comm import ids
from claude_comm.effects import REPLY_WITHIN_MS, Batch, Command, Operation
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys, Stream
from claude_comm.ops import door
from claude_comm.ops.when_full import force

TELL_EVERY_S = 5.0
AWAKE_S = 15.0
# What a follower may miss before it has to look at all: at one flight of one publisher a millisecond, ten seconds.
_KEPT = 10_000
# How much of it one look takes.
_PAGE = 1_000


class News(msgspec.Struct, frozen=True):
    """What was told after a position, and the position of the last of it. `lost`: there was more, which is gone."""

    streams: dict[str, Stream]
    last_id: str
    lost: bool = False


def announce(keys: Keys, streams: Collection[str], *, within_ms: int = REPLY_WITHIN_MS) -> Operation[None]:
    """Lets the projection follow these streams, and says that they are about to be written to."""
    known, _ = yield Batch(announcing(keys, streams), on="control", within_ms=within_ms)
    if isinstance(known, TransportError):
        raise known


def announcing(keys: Keys, streams: Collection[str]) -> tuple[Command, Command]:
    """The two commands of it. That the second one is refused is no failure."""
    known = Command(("SADD", keys.streams, *streams), on="control")
    return known, _telling(keys, streams)


def tell(keys: Keys, streams: Collection[str]) -> Operation[None]:
    """Says that these streams are written to, also on a full server. Whoever may not say it is found all the same."""
    with suppress(ServerRefused):
        yield from force(_telling(keys, streams))


def now(keys: Keys) -> Operation[str]:
    """The position of the last news: what is told from here on comes after it."""
    with suppress(ServerRefused):
        return _last_id((yield Command(("XREVRANGE", keys.news, "+", "-", "COUNT", 1), on="control")))
    return "0-0"


def after(keys: Keys, position: str) -> Operation[News]:
    """The news after a position."""
    first, rows = yield Batch(
        (
            Command(("XRANGE", keys.news, "-", "+", "COUNT", 1), on="control"),
            Command(("XRANGE", keys.news, f"({position}", "+", "COUNT", _PAGE), on="control"),
        ),
        on="control",
    )
    return heard(keys, position, rows, oldest=_last_id(first))


def heard(keys: Keys, position: str, rows: Any, *, oldest: str = "0-0") -> News:
    """News as a read of the stream brings it; whatever others wrote there is passed over."""
    if not isinstance(rows, list):
        return News({}, position, lost=True)
    streams: dict[str, Stream] = {}
    for _, pairs in rows:
        text = dict(zip(pairs[::2], pairs[1::2], strict=True)).get(b"s", b"")
        named = (keys.parse_stream(key) for key in text.split())
        streams.update((stream.key, stream) for stream in named if stream is not None)
    last_id = _last_id(rows[-1:]) if rows else position
    return News(streams, last_id, lost=ids.position(oldest) > ids.position(position) > (0, 0) or len(rows) == _PAGE)


def _telling(keys: Keys, streams: Collection[str]) -> Command:
    return Command(("XADD", keys.news, "MAXLEN", "~", _KEPT, "*", "s", " ".join(streams)), on="control")


def _last_id(rows: Any) -> str:
    return (door.entry_id(rows[-1][0]) or "0-0") if isinstance(rows, list) and rows else "0-0"
