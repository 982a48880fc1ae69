"""The jobs of the negotiation worker that RQ keeps on the server: counted, and those that have ended removed.

Law: at most `MOST` of each kind are looked at, by commands that whoever may look at `status` may send. What another
program has put in the place of RQ's keys is none of them: `ops.unreadable` names it.
"""

from __future__ import annotations

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError
from claude_comm.names import Keys, job_queue

MOST = 1_000
# Of the jobs that were answered, and of those that could not be.
_ENDED = ("finished", "failed")


class KeptJobs(msgspec.Struct, frozen=True):
    """How many questions wait for the negotiation worker, and how many were answered or failed and are still there;
    `MOST` stands for as many or more."""

    waiting: int = 0
    ended: int = 0


def kept(keys: Keys) -> Operation[KeptJobs]:
    waiting, *ended = yield from _ids(job_queue(keys.namespace))
    return KeptJobs(len(waiting), sum(map(len, ended)))


def remove_ended(keys: Keys) -> Operation[int]:
    """Removes the jobs that have ended; how many. What was agreed stays. Raises what refuses to let them be seen."""
    queue, removed = job_queue(keys.namespace), 0
    while True:
        _, *ended = yield from _ids(queue, must_see=True)
        ids = [id_ for part in ended for id_ in part]
        if not ids:
            return removed
        heads = (b"rq:job:", f"rq:done:{queue}:".encode())
        removals = (
            *(Command(("UNLINK", head + id_)) for id_ in ids for head in heads),
            *(Command(("ZREM", f"rq:{kind}:{queue}", *part)) for kind, part in zip(_ENDED, ended, strict=True) if part),
        )
        for reply in (yield Batch(removals, on="control")):
            if isinstance(reply, TransportError):
                raise reply
        removed += len(ids)


def _ids(queue: str, *, must_see: bool = False) -> Operation[list[list[bytes]]]:
    """Of the jobs that wait, and of those that have ended, kind by kind; none where something else stands, or, unless
    they `must` be seen, where they may not be looked at."""
    looks = (
        Command(("LRANGE", f"rq:queue:{queue}", 0, MOST - 1)),
        *(Command(("ZRANGE", f"rq:{kind}:{queue}", 0, MOST - 1)) for kind in _ENDED),
    )
    replies = yield Batch(looks, on="control")
    for reply in replies:
        if must_see and isinstance(reply, TransportError) and getattr(reply, "code", "") != "WRONGTYPE":
            raise reply
    return [[] if isinstance(reply, TransportError) else list(reply) for reply in replies]
