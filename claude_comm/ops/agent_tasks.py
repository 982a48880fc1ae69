"""Tasks of agents, on the server: a record by its id, the question that is open, and how it ended.

Law: on the control server, one hash a task, with a TTL from the beginning. The first end that is written stands. A
round of answers is taken by one process: whoever writes that it was sent sends it. Replies to a task stand in a stream
of its own until they are read, so that no process has to wait for them.
"""

from __future__ import annotations

from typing import Any

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.replies import TASK_PREFIX, Arrived, collect

# How long a server may take to have a new task on its disk before it is answered for all the same.
_DURABLE_MS = 2_000
# Events that are looked through for the progress of one task.
_PAGE = 300
_RECORD, _END, _QUESTION, _SENT = "record", "end", "question", "sent"


def begin(keys: Keys, task: str, record: bytes, ttl_ms: int) -> Operation[None]:
    """Writes a task that has not begun before."""
    key = keys.task(task)
    replies = yield Batch(
        (
            Command(("HSET", key, _RECORD, record), on="control"),
            Command(("PEXPIRE", key, ttl_ms), on="control"),
        ),
        on="control",
    )
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply


def durable(keys: Keys, task: str) -> Operation[None]:
    """Returns when what was written before is on the server's disk, where the server keeps such a file."""
    marking = Command(("HSET", keys.task(task), "durable", "1"), on="control")
    waiting = Command(("WAITAOF", 1, 0, _DURABLE_MS), on="control", wait_ms=_DURABLE_MS)
    marked, waited = yield Batch((marking, waiting), on="control", wait_ms=_DURABLE_MS)
    if isinstance(marked, TransportError):
        raise marked
    if isinstance(waited, TransportError) and not isinstance(waited, ServerRefused):
        raise waited


def read(keys: Keys, task: str) -> Operation[dict[str, bytes]]:
    """The fields of a task; none where there is no such task."""
    fields = yield Command(("HGETALL", keys.task(task)), on="control")
    return {door.name(name): value for name, value in door.fields(fields).items()}


def end(keys: Keys, task: str, outcome: bytes) -> Operation[bool]:
    """Writes how a task ended; False where it had ended before."""
    return bool((yield Command(("HSETNX", keys.task(task), _END, outcome), on="control")))


def ask(keys: Keys, task: str, round: str, question: bytes) -> Operation[None]:
    """Writes the question of a round; the first one of a round stands."""
    yield Command(("HSETNX", keys.task(task), f"{_QUESTION}:{round}", question), on="control")


def answer(keys: Keys, task: str, key: str, response: bytes) -> Operation[None]:
    """Keeps the answer to one part of a question; the first one stands."""
    yield Command(("HSETNX", keys.task(task), f"answer:{key}", response), on="control")


def take_round(keys: Keys, task: str, round: str, message: str) -> Operation[str]:
    """The id of the message that the answers of a round are sent with: this one, or that of whoever was before."""
    key, field = keys.task(task), f"{_SENT}:{round}"
    if (yield Command(("HSETNX", key, field, message), on="control")):
        return message
    return door.name((yield Command(("HGET", key, field), on="control")))


def replies(keys: Keys, module: str, task: str) -> Operation[Arrived]:
    """All replies that have come for a task; they stay."""
    return (yield from collect(keys.replies(module, reply_instance(task)), (), block_ms=0))


def reply_instance(task: str) -> str:
    """The name under which the replies to a task come; see `ops.replies`."""
    return f"{TASK_PREFIX}{task}"


def position(stream: str) -> Operation[str]:
    """Where a stream of events ends now."""
    rows = yield Command(("XREVRANGE", stream, "+", "-", "COUNT", 1))
    return (door.entry_id(rows[0][0]) or "0-0") if rows else "0-0"


def since(stream: str, after: str) -> Operation[tuple[list[bytes], str]]:
    """The bodies of the entries after a position, and the position to go on from."""
    rows = yield Command(("XRANGE", stream, f"({after}", "+", "COUNT", _PAGE))
    return _bodies(rows), (door.entry_id(rows[-1][0]) or after) if rows else after


def latest(stream: str) -> Operation[list[bytes]]:
    """The bodies of the last entries, the newest first."""
    return _bodies((yield Command(("XREVRANGE", stream, "+", "-", "COUNT", _PAGE))))


def _bodies(rows: Any) -> list[bytes]:
    pairs = (dict(zip(fields[::2], fields[1::2], strict=False)) for _, fields in rows or [] if fields is not None)
    return [body for fields in pairs if (body := fields.get(b"e")) is not None]
