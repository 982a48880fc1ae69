"""The context of a handler: the message beside its payload, and the means to act on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from claude_comm.client.publisher.publisher import Publisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.errors import ConfigurationError
from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.registry.contracts import Contract


class Context:
    """The message being handled, and the means of this module. `envelope` is None in a start function and for a batch
    handler, which finds its messages in `envelopes`.

    Messages sent from here carry the session and the correlation of the message being handled, and name it as their
    cause.
    """

    __slots__ = ("_contract", "_publisher", "_stop", "envelope", "envelopes")

    def __init__(
        self,
        publisher: Publisher,
        contract: Contract,
        stop: Callable[[], None],
        envelope: Envelope | None = None,
        envelopes: Sequence[Envelope] = (),
    ) -> None:
        self._publisher, self._contract, self._stop = publisher, contract, stop
        self.envelope = envelope
        self.envelopes = envelopes

    @property
    def session(self) -> str:
        """The session of the message being handled; empty where there is none."""
        return self.envelope.session if self.envelope is not None else ""

    @property
    def _causation(self) -> str:
        return self.envelope.id if self.envelope is not None else ""

    @property
    def _correlation(self) -> str:
        return (self.envelope.correlation or self.envelope.id) if self.envelope is not None else ""

    def send(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        session: str | None = None,
        delay_s: float | None = None,
        at: datetime | None = None,
        ttl_s: float | None = None,
    ) -> str:
        """Sends a message; returns its id. A declared type is negotiated before its first message.

        `delay_s`, `at` and `ttl_s` are as for `Publisher.publish`. Raises as that does, and NegotiationRefused or
        UnknownModule.
        """
        self._agree(target, type)
        return self._publisher.publish(
            target,
            data,
            type=type,
            session=self.session if session is None else session,
            correlation=self._correlation,
            causation=self._causation,
            delay_s=delay_s,
            at=at,
            ttl_s=ttl_s,
        )

    def request(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        session: str | None = None,
        as_: Any = Any,
    ) -> Any:
        """Sends a message and waits for its reply, as `Publisher.request` does; agreed on as with `send`.

        It waits on this thread: from an `async` handler, `await asyncio.to_thread(context.request, ...)`.
        """
        self._agree(target, type)
        return self._publisher.request(
            target,
            data,
            type=type,
            timeout_s=timeout_s,
            session=self.session if session is None else session,
            correlation=self._correlation,
            causation=self._causation,
            as_=as_,
        )

    def progress(self, task: str, completed: float, total: float) -> None:
        """Reports how far a task is, in units of its own."""
        self._publisher.tell(task_progress(task, completed, total), session=self.session)

    def file(
        self,
        operation: str,
        path: str,
        status: Literal["success", "failed"] = "success",
        *,
        size_bytes: int = 0,
        **details: object,
    ) -> None:
        """Reports a file that was read, written or failed at; it counts in the session."""
        event = FileOperation(operation, str(path), status, size_bytes, details)
        self._publisher.tell(event, session=self.session)

    def stop(self) -> None:
        """Ends the module after this message."""
        self._stop()

    def _agree(self, target: str, type: str) -> None:
        if self._publisher.agreed(target, type):
            return
        schema = self._contract.sends(target, type)
        if schema is not None and not target.startswith("topic:"):
            self._publisher.negotiate(target, schema, type=type)


def task_progress(task: Any, completed: Any, total: Any) -> TaskProgress:
    """A progress event with its values checked. Raises ConfigurationError."""
    if not isinstance(task, str) or not 0 < len(task) <= 256:
        raise ConfigurationError("a task is named by 1 to 256 characters.")
    for name, value in (("completed", completed), ("total", total)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise ConfigurationError(f"{name} is {value!r}: it must be a number from 0 up.")
    return TaskProgress(task, completed, total)
