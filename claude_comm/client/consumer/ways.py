"""The ways of messages to a module: for each agreement that they come under, the adapter to its own contract, if any.

Law: an agreement is looked up once, when the first message under it is read. What was agreed with another version of
the module, which accepts the type differently, is left to that version while it runs, and weighed for this one when it
does not: an adapter is applied only where it is proved for what this instance accepts. The message stays as it was
sent; its adapter is told once as an event, and its digest with the end of each delivery.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import Identity, millis
from claude_comm.client.payload_types import payload_of
from claude_comm.effects import Operation
from claude_comm.envelope import with_payload
from claude_comm.errors import EnvelopeError, SchemaError
from claude_comm.json_form import json_form
from claude_comm.negotiation.agreement import Agreement, adapter_digest
from claude_comm.ops import agreements as stored
from claude_comm.ops import consume, registry
from claude_comm.progress.events import Adapted
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, UnreadableContract
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.verdict import passes

# Agreements that are remembered; when there are more, all are looked up again.
_MAX_KNOWN = 10_000
# For how long it counts which versions run.
_LOOK_EVERY_S = 0.5


class Ways:
    """What one run of a module knows of the agreements that its messages come under."""

    def __init__(self, identity: Identity, contract: Contract) -> None:
        self._identity, self._contract = identity, contract
        self._digest = contract.digest
        self._accepts = {type: schema_digest(schema) for type, schema in contract.accepts.items()}
        self.known: set[str] = {""}
        # Only those that take an adapter, and the addresses of these.
        self.adapters: dict[str, Adapter] = {}
        # Those that were made with another version, which accepts the type differently, by its digest.
        self.others: dict[str, str] = {}
        # The versions that this process left deliveries to.
        self.left_to: set[str] = set()
        self._running: set[str] = set()
        self._looked_at = float("-inf")
        self.digests: dict[str, str] = {}

    def learn(self, agreements: Iterable[str]) -> Operation[None]:
        """Looks these up."""
        if len(self.known) > _MAX_KNOWN:
            self.known = {""}
        for id_ in agreements:
            agreement = yield from self._find(id_)
            adapter = self._way(agreement) if agreement is not None else None
            if agreement is not None and self._is_others(agreement):
                self.others[id_] = agreement.consumer_digest
            if adapter is not None:
                self.digests[id_] = adapter_digest(adapter)
                self.adapters[id_] = adapter
                yield from self._tell(id_, adapter)
            self.known.add(id_)

    def adapted(self, delivery: Delivery) -> Delivery:
        """The delivery as this module accepts it; one that cannot be adapted as it is: its handler refuses it."""
        envelope = delivery.envelope
        adapter = self.adapters.get(envelope.agreement)
        if adapter is None or envelope.route:
            return delivery
        try:
            form = apply(adapter, json_form(payload_of(envelope, object)))
            return msgspec.structs.replace(delivery, envelope=with_payload(envelope, form))
        except EnvelopeError:
            return delivery

    def runs(self, digest: str) -> Operation[bool]:
        """Whether instances of another version run, as the registry said a moment ago."""
        if time.monotonic() - self._looked_at > _LOOK_EVERY_S:
            module = self._contract.module
            try:
                standing = yield from registry.standing(self._identity.keys, module, now_ms=millis())
            except UnreadableContract:
                standing = None
            self._running = standing.running if standing is not None else set()
            self._looked_at = time.monotonic()
        return digest in self._running

    def _is_others(self, agreement: Agreement) -> bool:
        ours = self._accepts.get(agreement.type)
        return (
            agreement.consumer == self._contract.module
            and agreement.consumer_digest not in ("", self._digest)
            and schema_digest(agreement.accepted) != ours
        )

    def _find(self, id_: str) -> Operation[Agreement | None]:
        agreement = yield from stored.find(self._identity.keys, id_)
        if agreement is not None and agreement.readers:
            part = agreement.readers.get(self._contract.module, "")
            return (yield from stored.find(self._identity.keys, part)) if part else agreement
        return agreement

    def _way(self, agreement: Agreement) -> Adapter | None:
        accepted = self._contract.accepts.get(agreement.type)
        if accepted is None:
            return None
        same = agreement.consumer == self._contract.module
        if same and schema_digest(agreement.accepted) == self._accepts[agreement.type]:
            return agreement.adapter
        # The engine takes longer to import than a module that reads what was agreed with it.
        from claude_comm.negotiation.weigh import weigh

        question = msgspec.structs.replace(
            agreement.question,
            consumer=self._contract.module,
            accepted=accepted,
            aliases=self._contract.aliases.get(agreement.type, {}),
        )
        try:
            answer = weigh(question)
        except SchemaError:
            return None
        return answer.adapter if passes(answer.verdict) else None

    def _tell(self, id_: str, adapter: Adapter) -> Operation[None]:
        event = self._identity.event(Adapted(self.digests[id_], id_, msgspec.json.encode(adapter).decode()))
        yield from consume.tell(self._identity.keys.events(self._contract.module), event)
