"""Replies: matching answers to requests, and answering requests.

Law: answers are matched by the request that they name as their cause, in whatever order they come. An answer after the
deadline is counted and dropped, and so is a second answer to one request (it was handled twice): neither ever reaches
another request.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.identity import BUFFER_MODULES, Identity, micros, new_id
from claude_comm.delivery import reply as replies
from claude_comm.delivery.burial import brief
from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE, Failure, ReplyAddress, address
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.errors import EnvelopeError, TransportError
from claude_comm.ops import replies as ops
from claude_comm.ops.consume import Why
from claude_comm.security import sealed
from claude_comm.security.signing import Seal
from claude_comm.telemetry.logs import get_logger

if TYPE_CHECKING:
    from claude_comm.runtime.trusted_keys import TrustedKeys

# How long one read waits before its connection is checked again.
_READ_WAIT_MS = 5_000
# An entry of that size is not read twice (see `ops.replies.collect`): that would cost more than it saves.
LARGE_BYTES = 16 * 1024
# Requests that ran out of time, remembered so that their answers count as late.
_MAX_EXPIRED = 10_000


class Waiter(Protocol):
    """Who waits for one answer."""

    def put(self, answer: Envelope, /) -> None: ...


AnyWaiter = TypeVar("AnyWaiter", bound=Waiter)


class Mailbox(Generic[AnyWaiter]):
    """The requests of one publisher that wait for an answer, and counts of answers that came for none of them."""

    def __init__(self, identity: Identity) -> None:
        self._trusted = _trusted(identity)
        instance = ops.reading_instance(identity.instance, several=self._trusted is None)
        self.address = str(ReplyAddress(identity.module, instance))
        self.key = identity.keys.replies(identity.module, instance)
        self.late = self.repeated = 0
        self._identity = identity
        self._waiting: dict[str, AnyWaiter] = {}
        self._expired: dict[str, None] = {}
        self._read: list[bytes] = []
        # Whether entries came together the last time, or answers in one entry; and whether one of them was large.
        self._several = self._packed = self._large = False
        self._max_bytes = identity.settings.max_envelope_bytes
        self._log = get_logger(identity.settings.log_level, module=identity.module)

    def expect(self, id_: str, waiter: AnyWaiter) -> None:
        self._waiting[id_] = waiter

    def give_up(self, id_: str) -> bool:
        """Stops waiting; False if the answer is being handed over at this moment, or was."""
        if self._waiting.pop(id_, None) is None:
            return False
        self._expired[id_] = None
        while len(self._expired) > _MAX_EXPIRED:
            self._expired.pop(next(iter(self._expired)), None)
        return True

    def reading(self) -> Operation[list[Envelope]]:
        """The answers that have come, waited for a while; `hand_over` is next. Raises TransportError."""
        # Requesters are better woken together: what they send next travels together, and so do the answers to that.
        several = (self._several or (len(self._waiting) > 1 and not self._packed)) and not self._large
        arrived = yield from ops.collect(self.key, self._read, block_ms=_READ_WAIT_MS, several=several)
        self._read = [id_ for id_, _ in arrived]
        self._several = len(arrived) > 1
        self._large = any(text is not None and len(text) >= LARGE_BYTES for _, text in arrived)
        if self._trusted is not None and arrived:
            yield from self._trusted.renew()
        answers = [answer for id_, text in arrived if text is not None for answer in self._answers(text, id_)]
        self._packed = len(answers) > len(arrived)
        return answers

    def hand_over(self, answers: Sequence[Envelope]) -> None:
        """Gives each answer to who waits for it."""
        for answer in answers:
            waiter = self._waiting.pop(answer.causation, None)
            if waiter is not None:
                waiter.put(answer)
            else:
                self._unexpected(answer)

    @property
    def waiting(self) -> int:
        """How many requests wait for their answers."""
        return len(self._waiting)

    def waiters(self) -> list[AnyWaiter]:
        return list(self._waiting.values())

    def unreachable(self, error: TransportError) -> None:
        self._log.warning("replies.unreachable", error=str(error))

    def _answers(self, text: bytes, id_: bytes) -> list[Envelope]:
        """What can be read of an entry, and is believed."""
        body, seal = sealed.split(text)
        return [
            answer
            for found in self._found(body)
            if (answer := self._whole(found)) is not None and self._believes(answer, body, seal, id_)
        ]

    def _found(self, body: bytes) -> Sequence[Envelope | EnvelopeError]:
        try:
            if envelopes.is_array(body):
                return envelopes.decode_array(body, max_bytes=max(self._max_bytes, ops.MOST_ENTRY_BYTES))
            return (envelopes.decode(body, max_bytes=self._max_bytes),)
        except EnvelopeError as error:
            return (error,)

    def _whole(self, found: Envelope | EnvelopeError) -> Envelope | None:
        """An answer with its payload at hand; None for one that cannot be read."""
        try:
            if isinstance(found, Envelope):
                return self._identity.arrived(found)
        except EnvelopeError as error:
            found = error
        self._log.warning("reply.unreadable", error=str(found))
        return None

    def _believes(self, answer: Envelope, body: bytes, seal: Seal | None, id_: bytes) -> bool:
        if self._trusted is None:
            return True
        stored_ms = int(id_.partition(b"-")[0])
        doubt = self._trusted.verifier.doubt(self.key, body, seal, answer.source, stored_ms)
        if doubt is not None:
            self._log.warning("reply.doubted", id=answer.causation, source=answer.source, why=doubt.sentence)
        return doubt is None

    def _unexpected(self, answer: Envelope) -> None:
        if answer.causation in self._expired:
            self._expired.pop(answer.causation, None)
            self.late += 1
            self._log.warning("reply.late", id=answer.causation, source=answer.source)
        else:
            self.repeated += 1
            self._log.info("reply.repeated", id=answer.causation, source=answer.source)


def _trusted(identity: Identity) -> TrustedKeys | None:
    """The keyring that answers are checked against, where that is demanded. Raises ConfigurationError."""
    if identity.settings.signing != "require":
        return None
    from claude_comm.runtime.trusted_keys import TrustedKeys  # PyNaCl is an extra

    return TrustedKeys(identity.settings)


def result(answer: Envelope, target: str, shape: Any) -> Any:
    """As that of `delivery.reply`, also where the answer is an array or a table."""
    if getattr(shape, "__module__", "") in BUFFER_MODULES and answer.type != FAILURE_TYPE:
        from claude_comm.client.buffers import reader_of

        return reader_of(shape)(answer)
    return replies.result(answer, target, shape)


def reply(identity: Identity, request: Envelope, data: object) -> ops.EncodedAnswer | None:
    """The answer to a request; None for a message whose sender waits for none. Raises EncodeError or TooLarge."""
    return _answer(identity, request, data, REPLY_TYPE)


def replying(identity: Identity, request: Envelope, data: object) -> Operation[None]:
    """Answers a request by itself. Raises EncodeError or TooLarge."""
    yield from _sending(identity, reply(identity, request, data))


def failing(identity: Identity, request: Envelope, why: Why, error: BaseException | None) -> Operation[None]:
    """Tells the requester that its request is buried."""
    most = identity.most_text // 2
    name = brief(type(error).__name__, most) if error else ""
    failure = Failure(reason=brief(why.reason, most), error=name, path=brief(why.path, most))
    if error is not None:
        # An error's own `str` may raise: the interpreter's text for it never does.
        text = "".join(traceback.format_exception_only(error)).partition(": ")[2].strip()
        failure = msgspec.structs.replace(failure, text=brief(text, most))
    yield from _sending(identity, _answer(identity, request, failure, FAILURE_TYPE))


def _answer(identity: Identity, request: Envelope, data: object, type: str) -> ops.EncodedAnswer | None:
    to = address(request.reply_to)
    if to is None:
        return None
    data, content_type = identity.buffered(data)
    time_us = micros()
    # Made here, and not by `Identity.envelope`: all of these names were checked when they came in.
    envelope = Envelope(
        id=new_id(time_us),
        source=identity.module,
        target=to.module,
        type=type,
        time=time_us,
        session=request.session,
        correlation=request.correlation or request.id,
        causation=request.id,
        content_type=content_type,
        data=envelopes.pack(data),
    )
    stream, body = identity.keys.replies(to.module, to.instance), identity.encode_any(envelope)
    return ops.EncodedAnswer(stream, identity.seal(stream, body))


def _sending(identity: Identity, answer: ops.EncodedAnswer | None) -> Operation[None]:
    if answer is not None:
        events = identity.keys.events(identity.module)
        yield from ops.answer(answer, events=events, recorded=identity.recorded(answer.body))
