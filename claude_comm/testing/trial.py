"""One message, handed to a module's handler as a delivery would be, without a server.

Law: the message is read as it is read at run time, the real function is called with a real context, and what it sends
and returns is held to what the module declares. Nothing leaves the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import traceback as tracebacks
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, NoReturn, Self, TypeAlias

import msgspec

from claude_comm.client.module.async_context import AsyncContext
from claude_comm.client.module.context import Context
from claude_comm.client.module.handlers import Handler, PayloadRefused, refused
from claude_comm.client.module.module import Module
from claude_comm.client.module.signatures import unrun
from claude_comm.envelope import Envelope
from claude_comm.errors import DoesNotFit, EncodeError
from claude_comm.json_form import json_form, written
from claude_comm.schema.opaque import code_in
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json
from claude_comm.testing.recorder import AnswerNeeded, Answers, AsyncRecorder, Recorder, SentMessage

# What a handler may take for one message (seconds) before it counts as hanging.
LIMIT_S = 5.0
# What went wrong: the handler raised; its reply, or what it sent, is not what it declares; the contract allows a
# message that is not decoded; it did not end; a message that the contract refuses came in.
Kind: TypeAlias = Literal["raised", "reply", "sent", "not decoded", "hung", "let in"]


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a handler fails with. `place` is where: a line of the program, or a path in a payload."""

    type: str
    kind: Kind
    message: Json
    reason: str
    place: str = ""
    traceback: str = ""

    @property
    def failure(self) -> tuple[str, str, str, str]:
        """What two defects of the same defect share, whatever their messages are."""
        return self.type, self.kind, self.place, self.reason.partition(":")[0] if self.kind == "raised" else ""

    def __str__(self) -> str:
        text = msgspec.json.encode(self.message).decode()
        where = f" (at {self.place})" if self.place else ""
        return f"{_HEADS[self.kind]} of the {self.type!r} message {text}: {self.reason}{where}"


_HEADS: dict[Kind, str] = {
    "raised": "the handler raises because",
    "reply": "the reply is not what is declared, because",
    "sent": "what the handler sends is not what is declared, because",
    "not decoded": "the contract allows what is not decoded, because",
    "hung": "the handler does not end because",
    "let in": "a message that the contract refuses is let in, because",
}


class HandledMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a handler returned from: its reply, in JSON form, and what it sent."""

    type: str
    message: Json
    reply: Json = None
    sent: Sequence[SentMessage] = ()


class Hung(BaseException):
    """Raised within a handler that takes too long; no `except Exception` of it stops this."""


class Trial:
    """Hands messages to the handlers of one module. A context manager: `async` handlers share an event loop."""

    def __init__(
        self,
        module: Module,
        *,
        answers: Answers | None = None,
        allow: Sequence[type[BaseException]] = (),
        limit_s: float = LIMIT_S,
    ) -> None:
        self.module, self._limit_s, self._allowed = module, limit_s, tuple(allow)
        self._contract = module.contract()
        self._handlers = {handler.type: handler for handler in module.handlers}
        self._recorder = Recorder(self._contract, answers or {})
        self._replies: dict[str, Validator] = {}
        self._runner: asyncio.Runner | None = None

    def hand(self, type: str, message: Json) -> HandledMessage | Defect:
        """What became of one message, given in JSON form. Raises AnswerNeeded."""
        handler = self._handlers[type]
        self._recorder.clear()
        envelope = self._envelope(type, message)
        try:
            argument = handler.argument(envelope)
        except Exception as error:  # noqa: BLE001  (reading runs the user's types)
            return self._not_decoded(handler, message, error)
        try:
            with _limited(self._limit_s):
                result = self._call(handler, argument, envelope)
            if why := unrun(result):
                raise TypeError(why)
        except AnswerNeeded:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever a handler raises is what is looked for)
            return self._raised(handler, message, error)
        return self._broken_send(handler, message) or self._replied(handler, message, result)

    def takes(self, type: str, message: Json) -> bool:
        """Whether a message is decoded for its handler, which is not called."""
        try:
            self._handlers[type].argument(self._envelope(type, message))
        except Exception:  # noqa: BLE001  (reading runs the user's types)
            return False
        return True

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _envelope(self, type: str, message: Json) -> Envelope:
        return Envelope(
            id="trial", source="trial", target=self.module.name, type=type, time=0, agreement="trial",
            data=written(message),
        )  # fmt: skip

    def _call(self, handler: Handler, argument: Any, envelope: Envelope) -> Any:
        payload = [argument] if handler.most else argument
        about: tuple[Any, Sequence[Envelope]] = (None, [envelope]) if handler.most else (envelope, ())
        if not handler.is_async:
            context: Any = Context(self._recorder, self._contract, _nothing, *about)  # type: ignore[arg-type]
            return handler.function(payload, context) if handler.takes_context else handler.function(payload)
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._awaited(handler, payload, about))

    async def _awaited(self, handler: Handler, payload: Any, about: tuple[Any, Sequence[Envelope]]) -> Any:
        if not handler.takes_context:
            return await handler.function(payload)
        publisher: Any = AsyncRecorder(self._recorder)
        context = AsyncContext(publisher, self._contract, _nothing, *about)
        result = await handler.function(payload, context)
        await context.finish()
        return result

    def _not_decoded(self, handler: Handler, message: Json, error: Exception) -> HandledMessage | Defect:
        if code_in(handler.schema):
            # The contract promises nothing of what it leaves to code.
            return HandledMessage(type=handler.type, message=message)
        refusal = refused(error) if isinstance(error, DoesNotFit) else error
        place = refusal.path if isinstance(refusal, PayloadRefused) else ""
        return Defect(type=handler.type, kind="not decoded", message=message, reason=_said(refusal), place=place)

    def _raised(self, handler: Handler, message: Json, error: BaseException) -> HandledMessage | Defect:
        if isinstance(error, self._allowed):
            return HandledMessage(type=handler.type, message=message, sent=tuple(self._recorder.sent))
        if isinstance(error, Hung):
            reason = f"it takes longer than {self._limit_s:g} s"
            return Defect(type=handler.type, kind="hung", message=message, reason=reason)
        if broken := self._broken_send(handler, message):
            return broken
        trace = "".join(tracebacks.format_exception(error))
        return Defect(
            type=handler.type, kind="raised", message=message, reason=_said(error), place=_line(error), traceback=trace
        )

    def _broken_send(self, handler: Handler, message: Json) -> Defect | None:
        for refusal in self._recorder.refusals[:1]:
            return Defect(
                type=handler.type, kind="sent", message=message, reason=str(refusal),
                place=f"{refusal.target} {refusal.type} {refusal.path}",
            )  # fmt: skip
        return None

    def _replied(self, handler: Handler, message: Json, result: Any) -> HandledMessage | Defect:
        schema = self._contract.replies.get(handler.type)
        if schema is None:
            reply = None
        else:
            try:
                reply = json_form(result)
                written(reply)
            except EncodeError as error:
                return Defect(type=handler.type, kind="reply", message=message, reason=str(error))
            if handler.type not in self._replies:
                self._replies[handler.type] = compile_validator(schema)
            for breach in self._replies[handler.type].validate(reply)[:1]:
                reason = breach.sentence
                return Defect(type=handler.type, kind="reply", message=message, reason=reason, place=breach.path)
        return HandledMessage(type=handler.type, message=message, reply=reply, sent=tuple(self._recorder.sent))


def _nothing() -> None:
    """What `context.stop()` does in a trial."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises Hung in the main thread after so long, where the platform has a timer for it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _hung)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hung(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Hung


def _said(error: BaseException) -> str:
    """An exception on one line."""
    if isinstance(error, PayloadRefused):
        return str(error)
    return " ".join("".join(tracebacks.format_exception_only(error)).split())


def _line(error: BaseException) -> str:
    """The innermost line of the user's own program, as `file.py:12`; empty where none is on the way."""
    own = [frame for frame in tracebacks.extract_tb(error.__traceback__) if not _is_installed(frame.filename)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def _is_installed(file: str) -> bool:
    """Whether a file is of this package, of the interpreter or of an installed package."""
    return file.startswith((_PACKAGE, "<")) or "site-packages" in file or file.startswith(_STANDARD)


_PACKAGE = str(Path(__file__).resolve().parent.parent)
_STANDARD = str(Path(asyncio.__file__).resolve().parent.parent)
