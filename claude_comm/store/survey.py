"""Surveys: which streams there are, where they end, and which of them have more than is stored.

Law: a survey notices streams that are new and streams whose ids moved backwards; where nothing changed, it writes
nothing. Of many streams only those that have entries after their checkpoints are asked where they end, as long as the
same server was surveyed whole within `WHOLE_EVERY_S`: ids move backwards when a server is restored or another takes
over, which is another run of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from claude_comm.errors import ServerRefused, StoreNotReady
from claude_comm.names import Keys, Stream
from claude_comm.ops import follow, server
from claude_comm.ops.follow import Announced, Tail
from claude_comm.store import checkpoints, newer
from claude_comm.store.checkpoints import Checkpoint, position
from claude_comm.store.database import Database
from claude_comm.transport.driver import Client

# So many streams are asked as quickly as one command.
FEW = 200
# Who deletes a stream and puts the clock back is noticed this late, where no progress worker follows.
WHOLE_EVERY_S = 300.0


class Survey(msgspec.Struct, frozen=True):
    """The streams that are followed and where they end; those whose ids moved backwards; keys that are no streams."""

    streams: dict[str, Stream]
    tails: dict[str, Tail]
    moved: list[str]
    foreign: list[str]


def survey(client: Client, database: Database, keys: Keys) -> Survey:
    """Surveys all streams. New ones get a checkpoint at their start; those that moved begin a new epoch there.

    A stream followed before stays followed, also when the registry has forgotten it.
    """
    newer.reread(database, keys)
    announced = client.run(follow.announced(keys))
    return _whole(client, database, keys, announced, checkpoints.load(database))


def brief(client: Client, database: Database, keys: Keys) -> Survey:
    """The same, where there are many streams that were surveyed lately without those that have nothing new."""
    newer.reread(database, keys)
    known = checkpoints.load(database)
    announced = client.run(follow.announced(keys, known=known))
    runs = _runs(client) if len(known) > FEW else ""
    if not runs:
        return _whole(client, database, keys, announced, known)
    now_us = time.time_ns() // 1000
    last = database.rows("SELECT runs, at_us FROM surveys")
    if last and last[0][0] == runs and 0 <= now_us - last[0][1] < WHOLE_EVERY_S * 1e6:
        streams = with_entries(client, keys, known)
        if streams is not None:
            new = {stream.key: stream for stream in announced.streams if stream.key not in known}
            return _with_foreign(look(client, database, new | streams), announced)
    seen = _whole(client, database, keys, announced, known)
    # Who reads while another writes for long surveys the whole again the next time.
    with suppress(StoreNotReady), database.write() as writer:
        writer.execute("INSERT OR REPLACE INTO surveys (id, runs, at_us) VALUES (1, ?, ?)", (runs, now_us))
    return seen


def with_entries(client: Client, keys: Keys, known: Mapping[str, Checkpoint]) -> dict[str, Stream] | None:
    """Those of these streams that have entries after their checkpoints; None where a key is no stream any more."""
    after = {key: point.entry_id for key, point in known.items()}
    try:
        unread = client.run(follow.unread(after, reach=client.data.reach))
    except ServerRefused as refusal:
        if refusal.code != "WRONGTYPE":
            raise
        return None
    return {key: stream for key in unread if (stream := keys.parse_stream(key.encode()))}


def _whole(
    client: Client, database: Database, keys: Keys, announced: Announced, known: Mapping[str, Checkpoint]
) -> Survey:
    followed = [stream for key in known if (stream := keys.parse_stream(key.encode()))]
    streams = {stream.key: stream for stream in [*announced.streams, *followed]}
    return _with_foreign(look(client, database, streams), announced)


def _with_foreign(seen: Survey, announced: Announced) -> Survey:
    foreign = [key.decode("utf-8", "backslashreplace") for key in announced.foreign]
    return msgspec.structs.replace(seen, foreign=foreign + seen.foreign)


def _runs(client: Client) -> str:
    """Which runs of the servers of the messages these are; "" where one may not be asked."""
    runs = client.run_on_each(server.run_id)
    return "" if None in runs else " ".join(sorted(run for run in runs if run))


def look(client: Client, database: Database, streams: Mapping[str, Stream]) -> Survey:
    """The same of these streams alone, by their keys."""
    if not streams:
        return Survey({}, {}, [], [])
    known = checkpoints.load(database, streams)
    tails = client.run(follow.tails(list(streams)))
    new = {key: tail.added - tail.length for key, tail in tails.items() if key not in known}
    moved = {
        key: (known[key], tail.added - tail.length)
        for key, tail in tails.items()
        if key in known and position(known[key].entry_id) > position(tail.last_id)
    }
    if new:
        checkpoints.begin(database, new)
    if moved:
        checkpoints.restart(database, moved)
    foreign = [key for key in streams if key not in tails]
    return Survey({key: streams[key] for key in tails}, tails, sorted(moved), foreign)


def unread(database: Database, seen: Survey) -> set[str]:
    """The streams that have more than is stored of them."""
    return behind(checkpoints.load(database, seen.tails), seen.tails)


def behind(known: Mapping[str, Checkpoint], tails: Mapping[str, Tail]) -> set[str]:
    """The streams whose last id is beyond their checkpoint."""
    return {
        key
        for key, tail in tails.items()
        if tail.length and position(known.get(key, Checkpoint()).entry_id) < position(tail.last_id)
    }
