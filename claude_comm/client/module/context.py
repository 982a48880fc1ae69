# Written by tools/twins.py from async_context.py: edit that file.
"""The context of a plain function: the message beside its payload, and the means to act on it.

Law: what a handler begins is done before its message is acked. A send that returned is in the
stream.
"""

from __future__ import annotations

from builtins import type as type_
from collections.abc import Callable, Sequence
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
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.registry.contracts import Contract

T = TypeVar("T")


class Context(MessageContext, msgspec.Struct, eq=False):
    """The message being handled, and what a handler can do. `envelope` is None in a start function and
    for a batch handler, which finds its messages in `envelopes`.

    Messages sent from here carry the session and the correlation of the message being handled, and
    name it as their cause. An `async` handler is given one whose methods are awaited.
    """

    _publisher: Publisher
    _contract: Contract
    _stop: Callable[[], None]
    envelope: Envelope | None = None
    envelopes: Sequence[Envelope] = ()

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
        """Sends a message; returns its id. A declared type is negotiated before its
        first message.

        `delay_s`, `at` and `ttl_s` are as for `Publisher.publish`. Raises as that does, and NegotiationRefused
        or UnknownModule.
        """
        return self._send(target, data, type, delay_s, at, ttl_s, self._threading(session))

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
        """Reports the progress of a task, in its own units."""
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
        """Reports a file operation, successful or failed; it counts in the session."""
        event = file_operation(operation, path, status, size_bytes, details)
        self._publisher.tell(event, session=self.session)

    def _send(
        self,
        target: str,
        data: object,
        type: str,
        delay_s: float | None,
        at: datetime | None,
        ttl_s: float | None,
        threading: Threading,
    ) -> str:
        self._agree(target, type)
        return self._publisher.publish(target, data, type=type, delay_s=delay_s, at=at, ttl_s=ttl_s, **threading)

    def _agree(self, target: str, type: str) -> None:
        if self._publisher.agreed(target, type):
            return
        schema = self._declared(target, type)
        if schema is not None:
            self._publisher.negotiate(target, schema, type=type)
