"""What this thread or task works in: its session, and the task whose progress it reports.

Law: a context variable each, so that two threads or tasks work in two sessions at once, and what they start inherits
theirs. Handlers are in the session of their message.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

# Empty for none.
current_session: ContextVar[str] = ContextVar("claude_comm_session", default="")
# The id of the message that is being handled, in a process that traces: what logs say of it.
current_message: ContextVar[str] = ContextVar("claude_comm_message", default="")
current_task: ContextVar[str] = ContextVar("claude_comm_task", default="")


class InSession:
    """What runs within it is in that session; for an empty name, in the one that it was in. A class and no
    generator, because each message goes through one."""

    __slots__ = ("_name", "_token")

    def __init__(self, name: str, *_deliveries: object) -> None:
        self._name = name
        self._token: Token[str] | None = None

    def __enter__(self) -> None:
        if self._name:
            self._token = current_session.set(self._name)

    def __exit__(self, *error: object) -> None:
        if self._token is not None:
            current_session.reset(self._token)
