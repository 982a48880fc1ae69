"""Negotiating whether two modules fit: a stored agreement, else the negotiation worker, else this process.

Law: the outcome is stored under the digest of the question, whichever process found it. A worker that does not answer
in time delays a negotiation; it never prevents one.
"""

from __future__ import annotations

from typing import Any

from claude_comm.client.identity import micros, millis
from claude_comm.client.payload_types import produced
from claude_comm.effects import Operation
from claude_comm.errors import ConfigurationError
from claude_comm.names import NEGOTIATION_WORKER, TOPIC_PREFIX, Keys, check_name, check_target
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.ops import agreements as stored
from claude_comm.ops import heartbeats, registry
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Undecided
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client


def question(keys: Keys, producer: str, target: str, type: str, shape: Any) -> Operation[Question]:
    """The question, with the target's contract. Raises UnknownModule or SchemaError."""
    if check_target(target).startswith(TOPIC_PREFIX):
        raise ConfigurationError(f"{target!r} is a topic: agreements are made with a module that reads it.")
    check_name(type, "message type")
    consumer = yield from registry.require(keys, target)
    return Question(
        producer=producer,
        consumer=target,
        type=type,
        produced=produced(shape),
        accepted=accepted_by(consumer, type),
    )


def accepted_by(consumer: Contract, type: str) -> Schema:
    """The schema that a module accepts for this type. Raises ConfigurationError where it accepts no such type."""
    if type in consumer.accepts:
        return consumer.accepts[type]
    known = ", ".join(sorted(consumer.accepts)) or "nothing"
    raise ConfigurationError(
        f"{consumer.module!r} does not accept {type!r} messages; it accepts {known}. "
        "Name one of these types, or add a handler there and start it again."
    )


def ask(client: Client, settings: Settings, asked: Question) -> Agreement:
    """The agreement on this question, new or stored; it may be a refusal. Raises SchemaError."""
    keys = Keys(settings.namespace)
    agreement = client.run(stored.find(keys, agreements.digest(asked)))
    if agreement is not None and not isinstance(agreement.verdict, Undecided):
        return agreement
    if client.run(heartbeats.workers_alive(keys, NEGOTIATION_WORKER, now_ms=millis())):
        # RQ takes longer to import than most programs take to start; only a process that asks a worker pays for it.
        from claude_comm.runtime import jobs

        answered = jobs.submit(settings.namespace, client.control.url, asked)
        agreement = client.run(stored.find(keys, answered)) if answered else None
        if agreement is not None:
            return agreement
    return decide(client, keys, asked, decided_by="caller")


def decide(client: Client, keys: Keys, asked: Question, *, decided_by: agreements.Decider) -> Agreement:
    """Decides the question in this process and stores the outcome. Raises SchemaError."""
    verdict = check(asked.produced, asked.accepted, policy=asked.policy)
    outcome = agreements.conclude(asked, verdict, decided_by=decided_by, decided_us=micros())
    client.run(stored.store(keys, outcome))
    return outcome


def ask_alone(settings: Settings, asked: Question) -> Agreement:
    """As `ask`, on a connection of its own: a thread beside an event loop may call it."""
    with connect(settings) as client:
        return ask(client, settings, asked)
