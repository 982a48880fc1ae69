"""The context of an `async` handler: the message beside its payload, and the means to act on it.

Law: what a handler begins is done before its message is acked. A send is on its way from the moment of the call;
`await` it for the id, or let the end of the handler wait for it.
"""

from __future__ import annotations

import asyncio
from builtins import type as type_
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

from claude_comm.client.module.message_context import (
    FileStatus,
    MessageContext,
    Threading,
    file_operation,
    task_progress,
)
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.registry.contracts import Contract

T = TypeVar("T")


class AsyncContext(MessageContext, msgspec.Struct, eq=False):
    """The context of an `async` handler: as `Context`, without holding up the event loop.

    `send`, `progress` and `file` begin at once and return a task: `await` it for its result. A handler has ended when
    all of them have, and fails as they fail.
    """

    _publisher: AsyncPublisher
    _contract: Contract
    _stop: Callable[[], None]
    envelope: Envelope | None = None
    envelopes: Sequence[Envelope] = ()
    # asyncio only
    _tasks: list[asyncio.Task[Any]] | None = None

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
        """Sends a message; the task returns its id when it is in the stream. A declared type is negotiated before its
        first message.

        `delay_s`, `at` and `ttl_s` are as for `Publisher.publish`. The task raises as that does, and NegotiationRefused
        or UnknownModule.
        """
        return self._begin(self._send(target, data, type, delay_s, at, ttl_s, self._threading(session)))

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
        """Reports the progress of a task, in its own units."""
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
        """Reports a file operation, successful or failed; it counts in the session."""
        event = file_operation(operation, path, status, size_bytes, details)
        return self._begin(self._publisher.tell(event, session=self.session))

    # asyncio only
    @property
    def busy(self) -> bool:
        """Whether any started call has not been awaited."""
        return self._tasks is not None

    # asyncio only
    async def finish(self) -> None:
        """Returns when every started call has ended. Raises the first error that was not awaited."""
        while self._tasks:
            await self._tasks.pop(0)
        self._tasks = None

    async def _send(
        self,
        target: str,
        data: object,
        type: str,
        delay_s: float | None,
        at: datetime | None,
        ttl_s: float | None,
        threading: Threading,
    ) -> str:
        await self._agree(target, type)
        return await self._publisher.publish(target, data, type=type, delay_s=delay_s, at=at, ttl_s=ttl_s, **threading)

    # asyncio only
    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        if self._tasks is None:
            self._tasks = []
        self._tasks.append(task)
        return task

    async def _agree(self, target: str, type: str) -> None:
        if self._publisher.agreed(target, type):
            return
        schema = self._declared(target, type)
        if schema is not None:
            await self._publisher.negotiate(target, schema, type=type)
