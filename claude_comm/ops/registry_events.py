"""What changes in the registry, as events of the modules that it is about, for the projection.

Law: the registry's own stream and histories are the record; these are told once a change stands, with an id that is
made of it, so that one told twice is one. What cannot be told (a user without the right, say) stops nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from claude_comm import envelope as envelopes
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused
from claude_comm.ids import ENTROPY_BYTES, uuid7
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.ops import consume
from claude_comm.progress.events import EVENT_TYPE, ContractEvent, Event, NegotiationEvent
from claude_comm.registry import changes
from claude_comm.registry.changes import RegistryChange

# A contract that comes back is registered again. Instances that start and stop tell that themselves.
_CONTRACTS: dict[str, Literal["registered", "held", "approved", "retired"]] = {
    "registered": "registered",
    "returned": "registered",
    "pending": "held",
    "approved": "approved",
    "retired": "retired",
}


def tell(keys: Keys, changed: Sequence[RegistryChange]) -> Operation[None]:
    """Tells those of these changes that are events."""
    for change in changed:
        if change.kind in _CONTRACTS:
            event = ContractEvent(_CONTRACTS[change.kind], change.version, change.digest, change.by, change.note)
            yield from record(keys, change.module, event, at_us=change.at_us, about=changes.encode(change))


def asked(keys: Keys, question: Question, *, at_us: int) -> Operation[None]:
    """Tells that a module asked what nobody had answered."""
    partner, version = question.consumer, question.consumer_version
    event = NegotiationEvent("asked", partner, question.type, version=version)
    about = f"{question.producer} {partner} {question.type} {version} {at_us}".encode()
    yield from record(keys, question.producer, event, at_us=at_us, about=about)


def decided(keys: Keys, agreement: Agreement, *, because: str = "") -> Operation[None]:
    """Tells the answer, in the name of the module that asked: who decided may have no right to write for it."""
    event = NegotiationEvent(
        "decided",
        agreement.consumer,
        agreement.type,
        "agreed" if agreement.fits else "refused",
        agreement.id,
        agreement.consumer_version,
        agreement.decided_by,
        because,
    )
    about = f"{agreement.id} {agreement.decided_us}".encode()
    yield from record(keys, agreement.producer, event, at_us=agreement.decided_us, about=about)


def record(keys: Keys, module: str, event: Event, *, at_us: int, about: bytes) -> Operation[None]:
    """An event of a module at a moment; its id is made of `about`."""
    body = envelopes.encode(
        Envelope(
            id=uuid7(at_us, hashlib.sha256(about).digest()[:ENTROPY_BYTES]),
            source=module,
            target=module,
            type=EVENT_TYPE,
            time=at_us,
            data=envelopes.pack(event),
        )
    )
    with suppress(ServerRefused):
        yield from consume.record(keys, module, body)
