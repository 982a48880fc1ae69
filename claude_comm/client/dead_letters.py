"""Buried messages, read from the dead streams themselves and put back: what the commands and the dashboard share.

A dead letter is called *buried* here: a delivery that its module gave up on, kept on the module's dead stream.

Law: what is shown is what can be redriven now, whatever a projection holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from claude_comm.client.identity import Identity, identify, micros
from claude_comm.delivery.burial import Burial, Where
from claude_comm.delivery.recheck import Judge, Rejection
from claude_comm.names import Keys, check_name
from claude_comm.ops import dead
from claude_comm.progress.events import Retried, Settled
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


def walk(client: Client, settings: Settings, module: str, chosen: Where) -> Iterator[Burial]:
    """The chosen burials of one module, the oldest first, a page at a time."""
    keys = Keys(settings.namespace)
    place = client.run(dead.begin(keys, check_name(module)))
    while place.after:
        page, place = client.run(dead.page(keys, place, max_bytes=settings.max_envelope_bytes))
        yield from (burial for burial in page if chosen.matches(burial))


def walk_all(client: Client, settings: Settings, module: str) -> Iterator[Burial]:
    """All burials of one module, or of every module for an empty name."""
    for name in [module] if module else client.run(dead.modules(Keys(settings.namespace))):
        yield from walk(client, settings, name, Where())


def judged(judge: Judge, burials: Iterable[Burial]) -> tuple[int, Counter[Rejection]]:
    """How many would pass now, and how often each refusal would come. Raises SchemaError."""
    refused, passing = Counter[Rejection](), 0
    for burial in burials:
        refusal = judge.refusal(burial)
        if refusal is None:
            passing += 1
        else:
            refused[refusal] += 1
    return passing, refused


def redrive(client: Client, settings: Settings, module: str, chosen: Where, *, limit: int | None) -> int:
    """Puts the chosen burials back into the module's inbox, the oldest first; how many. Interrupted, it may be run
    again: each message moves in one atomic step."""
    identity = identify(module, settings)
    operation = dead.redrive(
        identity.keys,
        module,
        chosen,
        lambda burial: _event(identity, burial),
        limit=limit,
        max_bytes=settings.max_envelope_bytes,
    )
    return client.run(operation)


def purge(client: Client, settings: Settings, module: str, chosen: Where) -> int:
    """Deletes the chosen burials for good; how many."""
    keys = Keys(settings.namespace)
    return client.run(dead.purge(keys, check_name(module), chosen, max_bytes=settings.max_envelope_bytes))


def _event(identity: Identity, burial: Burial) -> bytes:
    """The event that the message is on its way again; none for bytes that are no message."""
    if burial.envelope is None:
        return b""
    now_us, sent = micros(), burial.envelope
    fact = Retried(Settled(sent.source, sent.id, sent.time, now_us, burial.attempts), "redriven", now_us)
    return identity.event(fact, sent.session)
