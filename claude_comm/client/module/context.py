"""The context of a handler: the message beside its payload, and the means to act on it.

Law: what a handler begins is done before its message is acked. In an `async` handler a send is on its way from the
moment of the call; `await` it for the id, or let the end of the handler wait for it.
"""

from __future__ import annotations

import asyncio
from builtins import type as type_
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, get_args, overload

from claude_comm.client.arguments import check_choice, check_count, check_file, check_number, check_text
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.names import check_name, check_target
from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.registry.contracts import Contract, Schema

T = TypeVar("T")
FileStatus = Literal["success", "failed"]


class Threading(TypedDict, total=False):
    """The fields that tie a message to the one being handled."""

    session: str
    correlation: str
    causation: str


class MessageContext:
    """The message being handled. `envelope` is None in a start function and for a batch handler, which finds its
    messages in `envelopes`."""

    __slots__ = ("_contract", "_stop", "envelope", "envelopes")

    def __init__(
        self,
        contract: Contract,
        stop: Callable[[], None],
        envelope: Envelope | None = None,
        envelopes: Sequence[Envelope] = (),
    ) -> None:
        self._contract, self._stop = contract, stop
        self.envelope = envelope
        self.envelopes = envelopes

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


class Context(MessageContext):
    """The message being handled, and the means of this module. `envelope` is None in a start function and for a batch
    handler, which finds its messages in `envelopes`.

    Messages sent from here carry the session and the correlation of the message being handled, and name it as their
    cause. An `async` handler is given an `AsyncContext`.
    """

    __slots__ = ("_publisher",)

    def __init__(
        self,
        publisher: Publisher,
        contract: Contract,
        stop: Callable[[], None],
        envelope: Envelope | None = None,
        envelopes: Sequence[Envelope] = (),
    ) -> None:
        super().__init__(contract, stop, envelope, envelopes)
        self._publisher = publisher

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
            target, data, type=type, delay_s=delay_s, at=at, ttl_s=ttl_s, **self._threading(session)
        )

    @overload
    def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str | None = ...,
        as_: type_[T],
    ) -> T: ...

    @overload
    def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str | None = ...,
        as_: Any = ...,
    ) -> Any: ...

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
        """Sends a message and waits for its reply, as `Publisher.request` does; agreed on as with `send`."""
        self._agree(target, type)
        return self._publisher.request(
            target, data, type=type, timeout_s=timeout_s, as_=as_, **self._threading(session)
        )

    def progress(self, task: str, completed: float, total: float) -> None:
        """Reports how far a task is, in units of its own."""
        self._publisher.tell(task_progress(task, completed, total), session=self.session)

    def file(
        self,
        operation: str,
        path: str | Path,
        status: FileStatus = "success",
        *,
        size_bytes: int = 0,
        **details: object,
    ) -> None:
        """Reports a file that was read, written or failed at; it counts in the session."""
        event = file_operation(operation, path, status, size_bytes, details)
        self._publisher.tell(event, session=self.session)

    def _agree(self, target: str, type: str) -> None:
        if self._publisher.agreed(target, type):
            return
        schema = self._declared(target, type)
        if schema is not None:
            self._publisher.negotiate(target, schema, type=type)


class AsyncContext(MessageContext):
    """The context of an `async` handler: as `Context`, without holding up the event loop.

    `send`, `progress` and `file` begin at once and return a task: `await` it for its result. A handler has ended when
    all of them have, and fails as they fail.
    """

    __slots__ = ("_publisher", "_tasks")

    def __init__(
        self,
        publisher: AsyncPublisher,
        contract: Contract,
        stop: Callable[[], None],
        envelope: Envelope | None = None,
        envelopes: Sequence[Envelope] = (),
    ) -> None:
        super().__init__(contract, stop, envelope, envelopes)
        self._publisher = publisher
        self._tasks: list[asyncio.Task[Any]] = []

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
    ) -> asyncio.Task[str]:
        """Sends a message; the task returns its id when it is in the stream. Raises there as `Context.send` does."""
        fields = self._threading(session)

        async def send() -> str:
            await self._agree(target, type)
            return await self._publisher.publish(target, data, type=type, delay_s=delay_s, at=at, ttl_s=ttl_s, **fields)

        return self._begin(send())

    @overload
    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str | None = ...,
        as_: type_[T],
    ) -> T: ...

    @overload
    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str | None = ...,
        as_: Any = ...,
    ) -> Any: ...

    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        session: str | None = None,
        as_: Any = Any,
    ) -> Any:
        """Sends a message and waits for its reply, as `Publisher.request` does; agreed on as with `send`."""
        await self._agree(target, type)
        return await self._publisher.request(
            target, data, type=type, timeout_s=timeout_s, as_=as_, **self._threading(session)
        )

    def progress(self, task: str, completed: float, total: float) -> asyncio.Task[None]:
        """Reports how far a task is, in units of its own."""
        return self._begin(self._publisher.tell(task_progress(task, completed, total), session=self.session))

    def file(
        self,
        operation: str,
        path: str | Path,
        status: FileStatus = "success",
        *,
        size_bytes: int = 0,
        **details: object,
    ) -> asyncio.Task[None]:
        """Reports a file that was read, written or failed at; it counts in the session."""
        event = file_operation(operation, path, status, size_bytes, details)
        return self._begin(self._publisher.tell(event, session=self.session))

    async def finish(self) -> None:
        """Returns when everything that was begun has ended. Raises the first error that nobody awaited."""
        while self._tasks:
            await self._tasks.pop(0)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    async def _agree(self, target: str, type: str) -> None:
        if self._publisher.agreed(target, type):
            return
        schema = self._declared(target, type)
        if schema is not None:
            await self._publisher.negotiate(target, schema, type=type)


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
