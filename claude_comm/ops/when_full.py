"""Commands that a server must take although its memory is full, because they are what empties it again.

Law: a full server refuses messages and nothing else. Whoever consumes must be able to join, to say that it lives and
what it has handled; a projection, what it has stored; else nothing would ever be trimmed. Each such command is small.
It goes as it is, and once more by a script that may exceed the limit where the server answers `OOM`.
"""

from __future__ import annotations

from typing import Any

from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.errors import ServerRefused, TransportError

OUT_OF_MEMORY = "OOM"
# Where the key stands: after the verb, but for those that have two words.
_TWO_WORDS = ("XGROUP",)


def force(command: Command) -> Operation[Any]:
    """The reply to a command, given also by a full server. Raises ServerRefused for any other refusal."""
    try:
        reply = yield command
    except ServerRefused as refusal:
        reply = yield from retry_if_full(command, refusal)
    return reply


def force_all(*commands: Command) -> Operation[list[Any]]:
    """The same for commands that travel together; the first other refusal is raised."""
    replies = yield Batch(commands, on=commands[0].on)
    taken = []
    for command, reply in zip(commands, replies, strict=True):
        taken.append((yield from retry_if_full(command, reply)))
    return taken


def retry_if_full(command: Command, reply: Any) -> Operation[Any]:
    """The reply, or that of a second attempt where the first met a full server; other refusals are raised."""
    if not isinstance(reply, TransportError):
        return reply
    if not isinstance(reply, ServerRefused) or reply.code != OUT_OF_MEMORY:
        raise reply
    key = str(command.args[2 if command.args[0] in _TWO_WORDS else 1])
    return (yield Script("anyway", (key,), command.args, on=command.on))
