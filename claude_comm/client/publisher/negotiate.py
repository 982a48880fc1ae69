"""Negotiating whether two modules fit: a stored agreement, else the negotiation worker, else this process.

Law: the outcome is stored under the digest of the question, whichever process found it. A worker that does not answer
in time delays a negotiation; it never prevents one. Each version of the consumer that messages may be meant for is a
question of its own, the preferred version first; the first that fits is agreed on. A topic fits where each module that
reads it does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.client.identity import micros, millis
from claude_comm.client.payload_types import produced
from claude_comm.effects import Operation
from claude_comm.errors import ConfigurationError, UnknownModule
from claude_comm.names import NEGOTIATION_WORKER, TOPIC_PREFIX, Keys, check_name, check_target
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Agreement, Answer, Question
from claude_comm.negotiation.weigh import weigh
from claude_comm.ops import agreements as stored
from claude_comm.ops import heartbeats, registry, registry_events
from claude_comm.ops.subscriptions import declared_readers
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.registry.releases import Release
from claude_comm.schema.verdict import Compatible, Undecided
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client


class Asked(msgspec.Struct, frozen=True):
    """What is to be settled before messages go to a target: for each module that reads them, the questions about its
    versions in its order of preference. `whole` is the question about a topic, once its readers are settled."""

    readers: dict[str, list[Question]]
    whole: Question | None = None


def questions(keys: Keys, producer: str, target: str, type: str, shape: Any) -> Operation[Asked]:
    """The questions, with the contracts of those who read. Raises UnknownModule, ConfigurationError or SchemaError."""
    check_target(target)
    check_name(type, "message type")
    schema = produced(shape)
    ours = yield from _release_of(keys, producer, target, type, schema)
    asked = Question(
        producer=producer,
        consumer=target,
        type=type,
        produced=schema,
        accepted=True,
        producer_version=ours.version if ours else "",
        producer_digest=ours.digest if ours else "",
    )
    if target.startswith(TOPIC_PREFIX):
        readers = {}
        named = yield from declared_readers(keys, target.removeprefix(TOPIC_PREFIX), now_ms=millis())
        for reader in named:
            readers[reader] = yield from _about(keys, reader, asked, refusing=True)
        return Asked(readers, asked)
    return Asked({target: (yield from _about(keys, target, asked))})


def ask(client: Client, settings: Settings, asked: Question, because: str = "") -> Agreement:
    """The agreement on this question, new or stored; it may be a refusal. Raises SchemaError."""
    keys = Keys(settings.namespace)
    agreement, pair = client.run(stored.known(keys, asked))
    if agreement is not None and not isinstance(agreement.verdict, Undecided):
        if not stored.is_current(pair, agreement):
            client.run(stored.store(keys, agreement, at_us=micros(), because=because or "asked again", is_new=False))
        return agreement
    client.run(registry_events.asked(keys, asked, at_us=micros()))
    if client.run(heartbeats.workers_alive(keys, NEGOTIATION_WORKER, now_ms=millis())):
        # RQ takes longer to import than most programs take to start; only a process that asks a worker pays for it.
        from claude_comm.runtime import jobs

        answered = jobs.submit(settings.namespace, client.control.url, asked)
        agreement = client.run(stored.find(keys, answered)) if answered else None
        if agreement is not None:
            client.run(registry_events.decided(keys, agreement, because=because))
            return agreement
    agreement = decide(client, keys, asked, decided_by="caller", because=because)
    client.run(registry_events.decided(keys, agreement, because=because))
    return agreement


def decide(
    client: Client, keys: Keys, asked: Question, *, decided_by: agreements.Decider, because: str = ""
) -> Agreement:
    """Decides the question in this process and stores the outcome. Raises SchemaError."""
    outcome = agreements.conclude(asked, weigh(asked), decided_by=decided_by, decided_us=micros())
    client.run(stored.store(keys, outcome, because=because))
    return outcome


def settle(
    client: Client, settings: Settings, asked: Asked, because: str = "", before: Agreement | None = None
) -> Agreement:
    """What messages go under from now on. Raises SchemaError, or NegotiationRefused with each reason.

    `before` is the agreement of a running publisher: a module that has begun to read its topic since, and does not fit,
    stops nothing: it is told when it registers, and left out.
    """
    agreed = {}
    for reader, about in asked.readers.items():
        answers: list[Agreement] = []
        for question in about:
            answers.append(ask(client, settings, question, because))
            if answers[-1].fits:
                break
        if not answers[-1].fits and before is not None and asked.whole is not None and reader not in before.readers:
            continue
        agreed[reader] = agreements.require_one(answers)
    if asked.whole is None:
        (sole,) = agreed.values()
        return sole
    keys = Keys(settings.namespace)
    whole = msgspec.structs.replace(asked.whole, readers={reader: part.id for reader, part in agreed.items()})
    agreement, pair = client.run(stored.known(keys, whole))
    if agreement is None or not agreement.fits or not stored.is_current(pair, agreement):
        proof = Answer(verdict=Compatible(proof="every module that reads it"))
        agreement = agreements.conclude(whole, proof, decided_by="caller", decided_us=micros())
        client.run(stored.store(keys, agreement, because=because))
    return agreement


def settle_alone(settings: Settings, asked: Asked, because: str = "", before: Agreement | None = None) -> Agreement:
    """As `settle`, on a connection of its own: a thread beside an event loop may call it."""
    with connect(settings) as client:
        return settle(client, settings, asked, because, before)


def _about(keys: Keys, reader: str, asked: Question, *, refusing: bool = False) -> Operation[list[Question]]:
    """The questions about the versions of a module, the preferred one first; a version without the type is asked about
    where none has it, and `refusing` says that this is an answer. Raises UnknownModule or ConfigurationError."""
    standing = yield from registry.standing(keys, reader, now_ms=millis())
    offered = standing.offered() if standing is not None else []
    if not offered:
        raise UnknownModule(reader, (yield from registry.names(keys)))
    by_digest = yield from registry.contracts_of(keys, [(reader, release.digest) for release in offered])
    contracts = [(release, by_digest[release.digest]) for release in offered if release.digest in by_digest]
    if not contracts:
        # Raises for what is not to be read.
        yield from registry.require(keys, reader)
    knowing = [pair for pair in contracts if asked.type in pair[1].accepts]
    if not knowing and not refusing:
        accepted_by(contracts[0][1], asked.type)
    return [_question(asked, reader, release, contract) for release, contract in knowing or contracts]


def _question(asked: Question, reader: str, release: Release, contract: Contract) -> Question:
    return msgspec.structs.replace(
        asked,
        consumer=reader,
        accepted=contract.accepts.get(asked.type, False),
        consumer_version=release.version,
        consumer_digest=release.digest,
        aliases=contract.aliases.get(asked.type, {}),
    )


def _release_of(keys: Keys, producer: str, target: str, type: str, schema: Schema) -> Operation[Release | None]:
    """The newest release of the producer that declares to send this."""
    if (record := (yield from registry.record(keys, producer))) is None:
        return None
    ours = schema_digest(schema)
    for release in record.live():
        if any(sent.type == type and sent.schema == ours and sent.target in ("", target) for sent in release.produces):
            return release
    return None


def accepted_by(consumer: Contract, type: str) -> Schema:
    """The schema that a module accepts for this type. Raises ConfigurationError where it accepts no such type."""
    if type in consumer.accepts:
        return consumer.accepts[type]
    known = ", ".join(sorted(consumer.accepts)) or "nothing"
    raise ConfigurationError(
        f"{consumer.module!r} does not accept {type!r} messages; it accepts {known}. "
        "Name one of these types, or add a handler there and start it again."
    )
