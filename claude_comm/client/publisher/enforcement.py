"""Enforcement of agreements: every payload that a publisher sends is held to the agreement that it goes under.

Law: a payload under an agreement is one that the producer's closed schema allows, and the agreement proved that
the consumer accepts those. Nothing is sent under a refusal.
"""

from __future__ import annotations

from claude_comm.client.identity import as_json
from claude_comm.errors import AgreementBroken
from claude_comm.negotiation.agreement import Agreement, require
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.validator import Validator, compile_validator


class Enforcement:
    """The agreements of one publisher, by (target, type)."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[Agreement, list[Validator]]] = {}

    def hold(self, agreement: Agreement) -> Agreement:
        """From now on, messages of this type to this consumer go under it. Raises NegotiationRefused."""
        require(agreement)
        validators = [compile_validator(schema) for schema in under(agreement.policy, agreement.produced)]
        self._held[agreement.consumer, agreement.type] = (agreement, validators)
        return agreement

    def holds(self, target: str, type: str) -> bool:
        return (target, type) in self._held

    def check(self, target: str, type: str, payload: object) -> str:
        """The id of the agreement that the payload goes under; empty where there is none. Raises AgreementBroken."""
        held = self._held.get((target, type)) if self._held else None
        if held is None:
            return ""
        agreement, validators = held
        instance = as_json(payload)
        for validator in validators:
            for breach in validator.validate(instance)[:1]:
                raise AgreementBroken(target, type, breach.path, breach.sentence)
        return agreement.id
