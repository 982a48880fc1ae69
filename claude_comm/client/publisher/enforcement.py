"""Enforcement of agreements: every payload that a publisher sends is held to the agreement that it goes under.

Law: a payload under an agreement is one that the producer's closed schema allows, and the agreement proved that
the consumer accepts those; what was validated is what is sent, to the byte. Nothing is sent under a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from claude_comm.envelope import MSGPACK, is_json
from claude_comm.errors import AgreementBroken, EncodeError
from claude_comm.json_form import json_form, written
from claude_comm.negotiation.agreement import Agreement, require

if TYPE_CHECKING:
    pass


class Held(msgspec.Struct, frozen=True):
    """An agreement and what enforces it. `open`: null may be allowed somewhere, which NaN is to a validator."""

    agreement: Agreement
    validators: list[Any]
    open: bool


class Enforcement:
    """The agreements of one publisher, by (target, type)."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Held] = {}

    def hold(self, agreement: Agreement) -> Agreement:
        """From now on, messages of this type to this consumer go under it. Raises NegotiationRefused."""
        # The validators take longer to import than a publisher without agreements.
        from claude_comm.schema.validation.enforced import may_take_null, under
        from claude_comm.schema.validation.validator import compile_validator

        require(agreement)
        schemas = under(agreement.policy, agreement.produced)
        held = Held(agreement, [compile_validator(schema) for schema in schemas], any(map(may_take_null, schemas)))
        self._held[agreement.consumer, agreement.type] = held
        return agreement

    def holds(self, target: str, type: str) -> bool:
        try:
            return (target, type) in self._held
        except TypeError:  # one is not hashable, and no name
            return False

    def check(self, target: str, type: str, payload: object, content_type: str = MSGPACK) -> tuple[str, object]:
        """The id of the agreement that the payload goes under, and the payload in the form that was agreed on.

        Without an agreement the id is empty and the payload as it is. Raises AgreementBroken, or EncodeError for what
        has no JSON form.
        """
        held = self._held.get((target, type)) if self._held else None
        if held is None:
            return "", payload
        return held.agreement.id, self._checked(held, target, type, payload, content_type)

    def checker(self, target: str, type: str) -> tuple[str, Callable[[object], object]]:
        """The same for many payloads of one kind: the id, and what gives each payload its form."""
        held = self._held[target, type]
        return held.agreement.id, lambda payload: self._checked(held, target, type, payload, MSGPACK)

    def _checked(self, held: Held, target: str, type: str, payload: object, content_type: str) -> object:
        if content_type == MSGPACK:
            form = data = json_form(payload)
            if held.open:
                data = written(form)
        else:
            form, data = _foreign(payload, content_type), payload
        for validator in held.validators:
            for breach in validator.validate(form)[:1]:
                # NaN is said to be null: what is sent is looked at first.
                written(form)
                raise AgreementBroken(target, type, breach.path, breach.sentence)
        return data


def _foreign(payload: object, content_type: str) -> Any:
    """What a payload of another content type says, as JSON."""
    if not (is_json(content_type) and isinstance(payload, str | bytes)):
        return json_form(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EncodeError(f"the payload is no JSON, as its content type has it: {error}.") from None
