"""Whether buried messages would pass now, under the contract that their module registers today.

Law: pure. What is judged is what the door judges: the envelope, its time, its type and its payload. Whether the
handler would return this time, nobody can tell beforehand.
"""

from __future__ import annotations

import msgspec

from claude_comm.delivery.burial import Burial
from claude_comm.delivery.schedule import expired
from claude_comm.envelope import Envelope
from claude_comm.errors import EnvelopeError
from claude_comm.json_form import json_form, refuse_not_finite
from claude_comm.registry.contracts import Contract
from claude_comm.schema.validation.validator import Validator, compile_validator


class Rejection(msgspec.Struct, frozen=True):
    """Why a message would be buried again, and where in its payload."""

    reason: str
    path: str = ""


class Judge:
    """Holds burials to one contract; compiles each of its schemas once."""

    def __init__(self, contract: Contract, now_us: int) -> None:
        self._contract, self._now_us = contract, now_us
        self._validators: dict[str, Validator] = {}

    def refusal(self, burial: Burial) -> Rejection | None:
        """None when the message would reach its handler. Raises SchemaError for a contract that cannot be used."""
        envelope = burial.envelope
        if envelope is None:
            return Rejection("not an envelope")
        if expired(envelope, self._now_us):
            return Rejection("expired")
        if envelope.type not in self._contract.accepts:
            return Rejection(f"no handler for {envelope.type!r} messages")
        return self._payload(envelope)

    def _payload(self, envelope: Envelope) -> Rejection | None:
        try:
            instance = json_form(envelope.payload())
            refuse_not_finite(bytes(envelope.data), instance)
        except EnvelopeError as error:
            return Rejection(str(error), "$")
        for breach in self._validator(envelope.type).validate(instance)[:1]:
            return Rejection(breach.sentence, breach.path)
        return None

    def _validator(self, type: str) -> Validator:
        if type not in self._validators:
            self._validators[type] = compile_validator(self._contract.accepts[type])
        return self._validators[type]
