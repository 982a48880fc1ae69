"""Requests: one reading of a publisher's replies, shared by all who wait for one.

Law: a request ends by its deadline: with its answer, or with ReplyTimeout. Answers are matched by the request that
they name as their cause, in whatever order they come. What comes after the deadline is counted and dropped, and so is
a second answer to one request (it was handled twice): neither ever reaches another request.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.identity import Identity, identify
from claude_comm.delivery.burial import brief
from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE, Address, Failure, address
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.errors import EnvelopeError, ReplyTimeout, TransportError
from claude_comm.ops import replies as ops
from claude_comm.ops.consume import Why
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.driver import Client

DEFAULT_TIMEOUT_S = 30.0
# How long one read waits before its connection is looked after again.
_TURN_MS = 5_000
# How long reading rests after the server did not answer.
_UNREACHABLE_WAIT_S = 0.2
_CANCEL_AGAIN_S = 0.1
# How long `close` waits for a reading that a frozen server does not let go.
_CLOSE_WITHIN_S = 2.0
# Requests that ran out of time, remembered so that their answers count as late.
_MAX_GIVEN_UP = 10_000


class Mailbox:
    """Who waits for which answer, and what came that nobody waits for."""

    def __init__(self, identity: Identity) -> None:
        self.address = str(Address(identity.module, identity.instance))
        self.key = identity.keys.replies(identity.module, identity.instance)
        self.late = self.repeated = 0
        self._waiting: dict[str, Callable[[Envelope], None]] = {}
        self._given_up: dict[str, None] = {}
        self._read: list[bytes] = []
        self._max_bytes = identity.settings.max_envelope_bytes
        self._log = get_logger(identity.settings.log_level, module=identity.module)

    def expect(self, id_: str, hand_over: Callable[[Envelope], None]) -> None:
        self._waiting[id_] = hand_over

    def give_up(self, id_: str) -> bool:
        """Waits no longer; False if the answer is being handed over at this moment, or was."""
        if self._waiting.pop(id_, None) is None:
            return False
        self._given_up[id_] = None
        while len(self._given_up) > _MAX_GIVEN_UP:
            self._given_up.pop(next(iter(self._given_up)), None)
        return True

    def reading(self) -> Operation[None]:
        """Hands over what has come, or waits for it a while. Raises TransportError."""
        arrived = yield from ops.collect(self.key, self._read, block_ms=_TURN_MS)
        self._read = [id_ for id_, _ in arrived]
        for _, body in arrived:
            if body is not None:
                self._sort(body)

    def unreachable(self, error: TransportError) -> None:
        self._log.warning("replies.unreachable", error=str(error))

    def _sort(self, body: bytes) -> None:
        try:
            answer = envelopes.decode(body, max_bytes=self._max_bytes)
        except EnvelopeError as error:
            self._log.warning("reply.unreadable", error=str(error))
            return
        hand_over = self._waiting.pop(answer.causation, None)
        if hand_over is not None:
            hand_over(answer)
        elif answer.causation in self._given_up:
            self._given_up.pop(answer.causation, None)
            self.late += 1
            self._log.warning("reply.late", id=answer.causation, source=answer.source)
        else:
            self.repeated += 1
            self._log.info("reply.repeated", id=answer.causation, source=answer.source)


class Requests:
    """For threads: whoever asks waits, and one thread reads for all."""

    def __init__(self, identity: Identity, client: Client) -> None:
        self._identity, self._client = identity, client
        self._lock = threading.Lock()
        self._open()

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox of this process: a fork has its own, or the two would take each other's answers."""
        if self._pid != os.getpid():
            self._identity = identify(self._identity.module, self._identity.settings)
            self._lock = threading.Lock()
            self._open()
        return self._mailbox

    def ask(self, id_: str, target: str, timeout_s: float, send: Callable[[float], None]) -> Envelope:
        """The answer; `send` is given the moment by which it is over. Raises ReplyTimeout, and what `send` raises."""
        until = time.monotonic() + timeout_s
        mailbox, slot = self.mailbox, _Slot()
        if self._thread is None or not self._thread.is_alive():
            self._start()
        mailbox.expect(id_, slot.put)
        try:
            send(until)
        except BaseException:
            mailbox.give_up(id_)
            raise
        return slot.wait(until) or self._last_look(id_, slot, target, timeout_s)

    def close(self) -> None:
        """Ends the thread, and leaves nothing on the server."""
        self._stop.set()
        if self._thread is None or self._pid != os.getpid():
            return
        with suppress(TransportError):  # then the read fails as well, and the thread ends
            self._client.run(ops.wake(self._mailbox.key))
        self._thread.join(_CLOSE_WITHIN_S)

    def _open(self) -> None:
        self._pid = os.getpid()
        self._mailbox = Mailbox(self._identity)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _last_look(self, id_: str, slot: _Slot, target: str, timeout_s: float) -> Envelope:
        if self._mailbox.give_up(id_):
            raise ReplyTimeout(target, id_, timeout_s)
        # It came at the last moment: the reading thread holds it out already.
        answer = slot.wait(time.monotonic() + _CLOSE_WITHIN_S)
        if answer is None:
            raise ReplyTimeout(target, id_, timeout_s)
        return answer

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._read, name="replies", daemon=True)
                self._thread.start()

    def _read(self) -> None:
        mailbox, stop, reached = self._mailbox, self._stop, True
        while not stop.is_set():
            try:
                self._client.run(mailbox.reading())
                reached = True
            except TransportError as error:
                if reached:
                    mailbox.unreachable(error)
                reached = False
                stop.wait(_UNREACHABLE_WAIT_S)
        if reached:
            self._leave(mailbox)

    def _leave(self, mailbox: Mailbox) -> None:
        try:
            self._client.run(ops.leave(mailbox.key))
        except TransportError as error:
            mailbox.unreachable(error)


class AsyncRequests:
    """For the tasks of one event loop: one of them reads for all."""

    def __init__(self, identity: Identity, client: AsyncClient) -> None:
        self.mailbox = Mailbox(identity)
        self._client = client
        self._task: asyncio.Task[None] | None = None

    async def ask(self, id_: str, target: str, timeout_s: float, send: Callable[[], Awaitable[Any]]) -> Envelope:
        """The answer. Raises ReplyTimeout, and what `send` raises."""
        future: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self.mailbox.expect(id_, lambda answer: None if future.done() else future.set_result(answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(timeout_s):
                await send()
                return await future
        except TimeoutError:
            raise ReplyTimeout(target, id_, timeout_s) from None
        finally:
            self.mailbox.give_up(id_)

    async def close(self) -> None:
        """Ends the reading, and leaves nothing on the server."""
        if self._task is None:
            return
        while not self._task.done():
            # More than once: a cancellation that meets the end of a `wait_for` is lost before Python 3.12.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_S)
        try:
            await self._client.run(ops.leave(self.mailbox.key))
        except TransportError as error:
            self.mailbox.unreachable(error)

    async def _read(self) -> None:
        reached = True
        while True:
            try:
                await self._client.run(self.mailbox.reading())
                reached = True
            except TransportError as error:
                if reached:
                    self.mailbox.unreachable(error)
                reached = False
                await asyncio.sleep(_UNREACHABLE_WAIT_S)


class _Slot:
    """Where one thread waits for one answer. A lock held by nobody costs less than an Event with its condition."""

    __slots__ = ("_answer", "_gate")

    def __init__(self) -> None:
        self._answer: Envelope | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def put(self, answer: Envelope) -> None:
        self._answer = answer
        self._gate.release()

    def wait(self, until: float) -> Envelope | None:
        self._gate.acquire(timeout=max(until - time.monotonic(), 0))
        return self._answer


def replying(identity: Identity, request: Envelope, data: object) -> Operation[None]:
    """Answers a request; nothing for a message whose sender waits for nothing. Raises EncodeError or TooLarge."""
    yield from _answering(identity, request, data, REPLY_TYPE)


def failing(identity: Identity, request: Envelope, why: Why, error: BaseException | None) -> Operation[None]:
    """Tells who asked that the request is buried."""
    told = Failure(reason=brief(why.reason), error=type(error).__name__ if error else "", path=brief(why.path))
    if error is not None:
        # An error may fail to say anything: the interpreter's own words for it never do.
        words = "".join(traceback.format_exception_only(error)).partition(": ")[2].strip()
        told = msgspec.structs.replace(told, text=brief(words))
    yield from _answering(identity, request, told, FAILURE_TYPE)


def _answering(identity: Identity, request: Envelope, data: object, type: str) -> Operation[None]:
    to = address(request.reply_to)
    if to is None:
        return
    answer = identity.envelope(
        to.module,
        data,
        type=type,
        session=request.session,
        correlation=request.correlation or request.id,
        causation=request.id,
    )
    events = identity.keys.events(identity.module)
    yield from ops.answer(identity.keys, to, identity.encode(answer), events=events)
