"""What stands for the publisher of a module under trial: it records, and sends nothing.

Law: what a module declares to send is held to the declaration as at run time, by the same schemas, and refused with the
same error. A request is answered from what was given; without an answer the trial says that one is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from claude_comm import json_form
from claude_comm.envelope import DEFAULT_TYPE, pack
from claude_comm.errors import AgreementBroken, ClaudeCommError
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json

# By target, or by (target, type): the reply, or a function from the payload of the request to the reply.
Answers: TypeAlias = Mapping[Any, Any]


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a handler sent: to whom, of what type, its payload in JSON form, and whether it was a request."""

    target: str
    type: str
    data: Json
    request: bool = False


class AnswerNeeded(ClaudeCommError):
    """A handler asked a module for which no answer was given."""

    exit_code = 2

    def __init__(self, target: str, type: str) -> None:
        self.target, self.type = target, type
        super().__init__(
            f"the handler asks {target!r} ({type!r}) and waits for the reply: give one, `answers={{{target!r}: ...}}` "
            f"or `--answer {target}=JSON`."
        )


class Recorder:
    """The publisher of plain handlers."""

    def __init__(self, contract: Contract, answers: Answers) -> None:
        self._contract, self._answers = contract, answers
        self.sent: list[SentMessage] = []
        self.refusals: list[AgreementBroken] = []
        self._validators: dict[tuple[str, str], list[Validator]] = {}

    def clear(self) -> None:
        """Forgets what was sent."""
        self.sent, self.refusals = [], []

    def agreed(self, _target: str, _type: str = DEFAULT_TYPE) -> bool:
        return True

    def tell(self, *_event: object, **_session: str) -> None:
        """Events of progress and files are for nobody here."""

    def publish(self, target: str, data: object, *, type: str = DEFAULT_TYPE, **_options: object) -> str:
        """Records the message; returns an id. Raises AgreementBroken, or EncodeError, as sending it would."""
        self.record(target, data, type)
        return f"sent-{len(self.sent)}"

    def request(
        self, target: str, data: object, *, type: str = DEFAULT_TYPE, as_: Any = Any, **_options: object
    ) -> Any:
        """The answer that was given for the target, as type `as_`. Raises AnswerNeeded."""
        form = self.record(target, data, type, request=True)
        known = (target, type) if (target, type) in self._answers else target
        if known not in self._answers:
            raise AnswerNeeded(target, type)
        answer = self._answers[known]
        reply = json_form.json_form(answer(form) if callable(answer) else answer)
        return reply if as_ in (Any, object) else json_form.read(reply, as_)

    def record(self, target: str, data: object, type: str, *, request: bool = False) -> Json:
        """The payload in JSON form, as it is recorded; of what is not declared, its form where it has one."""
        schema = self._contract.sends(target, type)
        if schema is None:
            form = msgspec.msgpack.decode(pack(data))
        else:
            form = json_form.json_form(data)
            json_form.written(form)
            self._require(target, type, schema, form)
        self.sent.append(SentMessage(target=target, type=type, data=form, request=request))
        return form

    def _require(self, target: str, type: str, schema: Schema, form: Json) -> None:
        if (target, type) not in self._validators:
            schemas = under("closed-producer", schema)
            self._validators[target, type] = [compile_validator(whole) for whole in schemas]
        for validator in self._validators[target, type]:
            for breach in validator.validate(form)[:1]:
                self.refusals.append(AgreementBroken(target, type, breach.path, breach.sentence))
                raise self.refusals[-1]


class AsyncRecorder:
    """The publisher of `async` handlers: the same, awaited."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.agreed = recorder.agreed

    async def tell(self, *event: object, **session: str) -> None:
        self._recorder.tell(*event, **session)

    async def publish(self, target: str, data: object, **options: Any) -> str:
        return self._recorder.publish(target, data, **options)

    async def request(self, target: str, data: object, **options: Any) -> Any:
        return self._recorder.request(target, data, **options)
