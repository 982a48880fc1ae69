"""Making the projection again: from the rows it has and the streams, or from the streams alone.

Law: nothing is deleted. A database that is replaced is kept beside the new one, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store import checkpoints
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.survey import survey
from claude_comm.transport.driver import Client

Progress = Callable[[int, int], None]


def reread(client: Client, database: Database, settings: Settings, *, progress: Progress) -> int:
    """Reads every stream again from its start: what is missing is added. How many entries there were."""
    tails = survey(client, database, Keys(settings.namespace)).tails
    known = checkpoints.load(database)
    checkpoints.restart(database, {key: (known[key], tail.added - tail.length) for key, tail in tails.items()})
    return caught_up(client, database, settings, progress=progress)


def set_aside(path: Path, now_us: int) -> Path:
    """Moves a database away, with what its log still holds, and makes an empty one in its place; where the old one is.

    A worker that has it open notices that its path names another file, and opens that one.
    """
    kept = path.with_name(f"{path.name}.before-{now_us}")
    for end in ("", "-wal", "-shm"):
        part = path.with_name(path.name + end)
        if part.exists():
            part.rename(kept.with_name(kept.name + end))
    open_database(path).close()
    return kept
