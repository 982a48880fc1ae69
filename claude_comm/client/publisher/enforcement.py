"""Enforcement of agreements: every payload that a publisher sends is held to the agreement that it goes under.

Law: a payload under an agreement is one that the producer's closed schema allows, and the agreement proved that
the consumer accepts those; what was validated is what is sent, to the byte. Nothing is sent under a refusal.

| mode | a payload that breaks its agreement, or has none any more |
| --- | --- |
| `enforce` | is refused before it is sent, with the path |
| `warn` | is sent without the agreement, and said in the log, once for each place |
| `off` | is sent: nothing is validated |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.client.identity import Identity
from claude_comm.envelope import MSGPACK, is_json, pack
from claude_comm.errors import AgreementBroken, ClaudeCommError, EncodeError
from claude_comm.json_form import complete, json_form, typed_encoder, typed_form, written
from claude_comm.negotiation.agreement import Agreement, require
from claude_comm.registry.contracts import Enforcement as Mode
from claude_comm.telemetry.logs import get_logger


class Held(msgspec.Struct, frozen=True):
    """An agreement and what enforces it: whatever `typed` decodes need not be validated. `open`: null may be allowed
    somewhere, which NaN is to a validator."""

    agreement: Agreement
    validators: list[Any]
    open: bool
    typed: Any


class Enforcement:
    """The agreements of one publisher, by (target, type)."""

    def __init__(self, identity: Identity | None = None, mode: Mode = "enforce") -> None:
        # A bare agreement is one under which nothing was sent yet.
        self._held: dict[tuple[str, str], Held | Agreement | ClaudeCommError] = {}
        # Whether anything was negotiated at all: what publishing looks at before anything else.
        self.on = False
        self._identity, self._mode = identity, mode
        self._warned: set[tuple[str, str, str]] = set()

    def hold(self, agreement: Agreement) -> Agreement:
        """From now on, messages of this type to this consumer go under it. Raises NegotiationRefused."""
        require(agreement)
        key = agreement.consumer, agreement.type
        held = self._held.get(key)
        if isinstance(held, Held) and _same_promise(held.agreement, agreement):
            self._held[key] = msgspec.structs.replace(held, agreement=agreement)
        else:
            self._held[key] = agreement
        self.on = True
        return agreement

    def refuse(self, target: str, type: str, error: ClaudeCommError) -> None:
        """From now on, messages of this type to this target are refused: their agreement does not stand any more."""
        self._held[target, type] = error
        self.on = True

    def agreement(self, target: str, type: str) -> Agreement | None:
        """The agreement that such messages go under; None for none, and for one that does not stand any more."""
        held = self._held.get((target, type))
        if isinstance(held, Agreement):
            return held
        return held.agreement if isinstance(held, Held) else None

    def holds(self, target: str, type: str) -> bool:
        """Whether such messages were negotiated, with whatever end."""
        try:
            return (target, type) in self._held
        except TypeError:  # one is not hashable, and no name
            return False

    @property
    def judged_singly(self) -> bool:
        """Whether of many payloads some may go under their agreement and some not."""
        return self._mode == "warn"

    def check(self, target: str, type: str, payload: object, content_type: str = MSGPACK) -> tuple[str, object]:
        """The id of the agreement that the payload goes under, and the payload in the form that was agreed on.

        Without an agreement the id is empty and the payload as it is. Raises AgreementBroken, the error that the
        negotiation ended with, or EncodeError for what has no JSON form.
        """
        held = self._held.get((target, type))
        if held is None:
            return "", payload
        if isinstance(held, Agreement):
            held = self._prepare(held)
        if isinstance(held, ClaudeCommError):
            if self._mode == "enforce":
                raise held
            self._warn(target, type, "", str(held))
            return "", payload
        return self._checked(held, target, type, payload, content_type)

    def encoder(self, target: str, type: str) -> tuple[str, Callable[[object], bytes]]:
        """The same for many payloads of one kind that is not `judged_singly`: the id, and what encodes each in its
        form."""
        held = self._held[target, type]
        if isinstance(held, Agreement):
            held = self._prepare(held)
        if isinstance(held, ClaudeCommError):
            return "", lambda payload: bytes(pack(self.check(target, type, payload)[1]))
        slowly: Callable[[object], bytes] = lambda payload: bytes(  # noqa: E731
            pack(self._checked(held, target, type, payload, MSGPACK)[1])
        )
        typed = held.typed
        if typed is None:
            return held.agreement.id, slowly
        return held.agreement.id, typed_encoder(typed.decode, floats=typed.floats, otherwise=slowly)

    def _prepare(self, agreement: Agreement) -> Held:
        """Makes what enforces an agreement, when the first payload goes under it: whoever negotiates with many
        partners waits for none that it never sends to. Raises SchemaError."""
        # The validators take longer to import than a publisher without agreements.
        from claude_comm.schema.validation.enforced import may_take_null, under
        from claude_comm.schema.validation.typed_decoder import typed_decoder
        from claude_comm.schema.validation.validator import compile_validator

        schemas = under(agreement.policy, agreement.produced) if self._mode != "off" else []
        validators = [compile_validator(schema) for schema in schemas]
        typed = typed_decoder(schemas[0]) if len(schemas) == 1 else None
        held = Held(agreement, validators, any(map(may_take_null, schemas or [agreement.produced])), typed)
        key = agreement.consumer, agreement.type
        if self._held.get(key) is agreement:  # another thread may hold a newer one by now
            self._held[key] = held
        return held

    def _checked(self, held: Held, target: str, type: str, payload: object, content_type: str) -> tuple[str, object]:
        if content_type == MSGPACK:
            if held.typed and (body := typed_form(payload, held.typed.decode, floats=held.typed.floats)):
                return held.agreement.id, msgspec.Raw(body)
            form = data = json_form(payload)
            if held.open:
                data = written(form)
        else:
            form, data = _foreign(payload, content_type), payload
        for validator in held.validators:
            for breach in validator.validate(form)[:1]:
                # NaN is said to be null: what is sent is looked at first.
                written(form)
                if complete(payload):
                    return self._checked(held, target, type, payload, content_type)
                if self._mode == "enforce":
                    raise AgreementBroken(target, type, breach.path, breach.sentence)
                self._warn(target, type, breach.path, breach.sentence)
                return "", payload
        return held.agreement.id, data

    def _warn(self, target: str, type: str, path: str, why: str) -> None:
        """Says once for each place that messages go out of their agreement."""
        place = target, type, path
        if self._mode == "off" or place in self._warned or len(self._warned) >= _MOST_WARNINGS or not self._identity:
            return
        self._warned.add(place)
        log = get_logger(self._identity.settings.log_level, module=self._identity.module)
        log.warning("agreement.broken", target=target, type=type, path=path, why=why)


# Different places of messages that a publisher says once each.
_MOST_WARNINGS = 1_000


def _foreign(payload: object, content_type: str) -> Any:
    """What a payload of another content type says, as JSON."""
    if not (is_json(content_type) and isinstance(payload, str | bytes)):
        return json_form(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EncodeError(f"the payload is no JSON, as its content type has it: {error}.") from None


def _same_promise(held: Agreement, agreement: Agreement) -> bool:
    """Whether payloads are held to the same under both: who asks again need not make the validators again."""
    return held.policy == agreement.policy and held.produced == agreement.produced
