"""The siblings of a running version: other versions of the same module that run beside it, in the same consumer group.

Law: a message that this version cannot handle is left to a version that runs and accepts it by its contract, and to no
other; where there is none, it is buried. A message that was left to this version is not left again, so that none goes
round between two.
"""

from __future__ import annotations

from typing import Any

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import Identity, millis
from claude_comm.client.payload_types import payload_of
from claude_comm.effects import Operation
from claude_comm.envelope import decode
from claude_comm.errors import EnvelopeError, SchemaError
from claude_comm.json_form import json_form
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import agreements as stored
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract, Schema, UnreadableContract
from claude_comm.registry.releases import release_of
from claude_comm.schema.evolution.adapter import apply


class Siblings:
    """Asks the registry when a message cannot be handled: it is seldom, and what runs may have changed a moment ago."""

    def __init__(self, identity: Identity, contract: Contract) -> None:
        self._identity, self._own = identity, release_of(contract)

    def taker(self, delivery: Delivery) -> Operation[str]:
        """The digest of the version that this delivery is left to; empty for none."""
        type = delivery.envelope.type
        if delivery.entry.handed:
            return ""
        keys, module = self._identity.keys, self._identity.module
        try:
            standing = yield from registry.standing(keys, module, now_ms=millis())
        except UnreadableContract:
            return ""
        if standing is None:
            return ""
        running = standing.running
        others = [
            release
            for release in standing.record.live()
            if release.digest in running
            and release.digest != self._own.digest
            and type in release.accepts
            and release.accepts[type] != self._own.accepts.get(type)
        ]
        if not others:
            return ""
        contracts = yield from registry.contracts_of(keys, [(module, release.digest) for release in others])
        agreement = yield from self._agreement(delivery)
        for release in others:
            if release.digest in contracts and self._takes(contracts[release.digest], delivery, agreement):
                return release.digest
        return ""

    def _agreement(self, delivery: Delivery) -> Operation[Agreement | None]:
        id_ = delivery.envelope.agreement
        return (yield from stored.find(self._identity.keys, id_)) if id_ else None

    def _takes(self, contract: Contract, delivery: Delivery, agreement: Agreement | None) -> bool:
        """Whether a version accepts the message, as it was sent or by the adapter that was agreed on with it."""
        try:
            # As it was sent, and not as it was adapted for this version.
            envelope = decode(delivery.entry.body or b"", max_bytes=self._identity.settings.max_envelope_bytes)
            form = json_form(payload_of(envelope, object))
        except EnvelopeError:
            return False
        schema = contract.accepts[delivery.envelope.type]
        if agreement is not None and agreement.consumer_digest == contract.digest and agreement.adapter is not None:
            form = apply(agreement.adapter, form)
        return _accepts(schema, form)


def _accepts(schema: Schema, form: Any) -> bool:
    # The validators take longer to import than a module whose messages are all taken.
    from claude_comm.schema.validation.validator import compile_validator

    try:
        return compile_validator(schema).accepts(form)
    except SchemaError:
        return False
