"""What every context of a handler has: the message beside its payload, and the module's contract.

Law: what is sent from a context carries the session and the correlation of the message being handled, and names it as
its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, get_args

from claude_comm.client.arguments import check_choice, check_count, check_file, check_number, check_text
from claude_comm.envelope import Envelope
from claude_comm.names import check_name, check_target
from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.registry.contracts import Contract, Schema

FileStatus = Literal["success", "failed"]


class Threading(TypedDict, total=False):
    """The fields that tie a message to the one being handled."""

    session: str
    correlation: str
    causation: str


class MessageContext:
    """The message being handled. `envelope` is None in a start function and for a batch handler, which finds its
    messages in `envelopes`. One is made for every message: those that follow from this one are structs, which are made
    in half of the time that a class of Python's own takes.
    """

    __slots__ = ()
    __repr__ = object.__repr__

    _contract: Contract
    _stop: Callable[[], None]
    envelope: Envelope | None
    envelopes: Sequence[Envelope]

    @property
    def session(self) -> str:
        """The session of the message being handled; empty where there is none."""
        return self.envelope.session if self.envelope is not None else ""

    def stop(self) -> None:
        """Ends the module after this message."""
        self._stop()

    def _threading(self, session: str | None) -> Threading:
        if self.envelope is None:
            return {"session": self.session if session is None else session}
        return {
            "session": self.envelope.session if session is None else session,
            "correlation": self.envelope.correlation or self.envelope.id,
            "causation": self.envelope.id,
        }

    def _declared(self, target: str, type: str) -> Schema | None:
        """The schema to agree on before the first message of this type, where the module declared one."""
        if not self._contract.produces:
            return None
        return self._contract.sends(check_target(target), check_name(type, "message type"))


def task_progress(task: Any, completed: Any, total: Any) -> TaskProgress:
    """A progress event with its values checked. Raises ConfigurationError."""
    return TaskProgress(check_task(task), check_number("completed", completed), check_number("total", total))


def file_operation(
    operation: Any, path: Any, status: Any, size_bytes: Any, details: dict[str, object]
) -> FileOperation:
    """An event of a file with its values checked. Raises ConfigurationError."""
    check_choice("status", status, get_args(FileStatus))
    return FileOperation(
        check_text("operation", operation, least=1),
        check_file("path", path),
        status,
        check_count("size_bytes", size_bytes),
        details,
    )


def check_task(task: Any) -> str:
    """The name of a task. Raises ConfigurationError."""
    return check_text("task", task, least=1)
