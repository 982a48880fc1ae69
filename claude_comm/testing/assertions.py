"""Assertions about contracts: that one module can talk to another, and that a module keeps what it declares.

Law: an assertion holds only from a proof. What cannot be decided fails with its reason, as it does at a gate. What it
fails with is the whole verdict: the witness, each reason with its place, and what would fix it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.client.module.module import Module
from claude_comm.client.module.self_check import SelfCheck, self_check
from claude_comm.client.payload_types import accepted, produced
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.names import TOPIC_PREFIX
from claude_comm.negotiation.agreement import Answer, Question
from claude_comm.negotiation.weigh import weigh
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.explanation import explain
from claude_comm.schema.verdict import Impossible, Policy, Verdict, passes

# Whether messages may reach the consumer through an adapter that takes no guess, as negotiations allow.
Adapters: TypeAlias = Literal["refuse", "allow"]
# Messages that each handler is given to decode.
_ATTEMPTS = 500


def assert_compatible(
    producer: Any,
    consumer: Any,
    *,
    type: str = "",
    policy: Policy = "closed-producer",
    adapters: Adapters = "refuse",
) -> None:
    """Fails unless every message that the producer may send is accepted by the consumer; both are a `Module`, a
    contract, a JSON Schema, or a Python type.

    Of a module are meant the messages that it declares to send to the consumer (of one `type`, where it is given), and
    those that the consumer accepts. `adapters="allow"` is content with an adapter that takes no guess, as a
    negotiation is. The failure shows a witness, and each reason with its place.
    """
    failures = [
        _failure(question, answer, adapters)
        for question in _questions(producer, consumer, type, policy)
        if not _holds(answer := weigh(question), adapters)
    ]
    if failures:
        raise AssertionError("\n\n".join(failures))


def assert_contract(module: Module, *, attempts: int = _ATTEMPTS) -> None:
    """Fails unless a module keeps its own contract: messages drawn from what each handler accepts are decoded into its
    type, and each message that it declares to send, and each reply, can exist.

    No handler is called: `fuzz`, and `given_messages`, do that.
    """
    tried = [self_check(handler, attempts) for handler in module.handlers]
    failures = [_unkept(checked) for checked in tried if not checked.kept]
    declared = module.contract()
    outgoing = [(f"the {sent.type!r} message that it declares to send", sent.schema) for sent in declared.produces]
    outgoing += [(f"the reply to {type!r}", schema) for type, schema in declared.replies.items()]
    failures += [f"{what} cannot exist: {why}" for what, schema in outgoing if (why := _impossible(schema))]
    if failures:
        raise AssertionError(f"{module.name!r} does not keep its contract.\n" + "\n".join(failures))


def _questions(producer: Any, consumer: Any, type: str, policy: Policy) -> Iterator[Question]:
    """One for each kind of message that goes from the one to the other."""
    sends, reads = _declared(producer), _declared(consumer)
    for kind, schema in _kinds(sends, reads, type):
        yield Question(
            producer=_name(sends, "the producer"),
            consumer=_name(reads, "the consumer"),
            type=kind,
            produced=schema,
            accepted=reads.accepts.get(kind, False) if isinstance(reads, Contract) else accepted(reads),
            aliases=reads.aliases.get(kind, {}) if isinstance(reads, Contract) else {},
            policy=policy,
        )


def _kinds(sends: Any, reads: Any, type: str) -> list[tuple[str, Schema]]:
    """The types of message that are meant, each with the schema of what is sent."""
    if not isinstance(sends, Contract):
        only = list(reads.accepts) if isinstance(reads, Contract) else []
        return [(type or (only[0] if len(only) == 1 else DEFAULT_TYPE), produced(sends))]
    meant = [
        (declared.type, declared.schema)
        for declared in sends.produces
        if type in ("", declared.type) and _reaches(declared.target, declared.type, reads)
    ]
    if not meant:
        kinds = ", ".join(sorted({declared.type for declared in sends.produces})) or "nothing"
        raise AssertionError(
            f"{sends.module!r} declares no {type!r} message to {_name(reads, 'the consumer')}; it declares: {kinds}."
            if type
            else f"{sends.module!r} declares no message that it sends to {_name(reads, 'the consumer')}; it declares: "
            f"{kinds}. Declare it with `module.produces(...)`."
        )
    return meant


def _reaches(target: str, type: str, reads: Any) -> bool:
    """Whether what is declared for this target goes to that consumer; for any target, what the consumer accepts."""
    if not isinstance(reads, Contract):
        return True
    if not target:
        return type in reads.accepts
    return target == reads.module or target in [f"{TOPIC_PREFIX}{topic}" for topic in reads.topics]


def _declared(side: Any) -> Any:
    return side.contract() if isinstance(side, Module) else side


def _name(side: Any, otherwise: str) -> str:
    return side.module if isinstance(side, Contract) else otherwise


def _holds(answer: Answer, adapters: Adapters) -> bool:
    return passes(answer.verdict) and (answer.adapter is None or adapters == "allow")


def _failure(question: Question, answer: Answer, adapters: Adapters) -> str:
    verdict: Verdict = answer.unadapted or answer.verdict
    head = f"{question.type!r} messages of {question.producer} do not fit {question.consumer}:"
    lines = [head, explain(verdict)]
    if answer.adapter is not None:
        lines.append(f'an adapter would make them fit ({", ".join(answer.steps)}): `adapters="allow"` takes it.')
    proved = [proposal for proposal in answer.proposals if proposal.proved]
    lines += [f"they would fit if {', and '.join(proposal.sentences)}; that is a guess." for proposal in proved]
    return "\n".join(lines)


def _unkept(checked: SelfCheck) -> str:
    lines = [f"  {checked.type!r}: {checked.refused} of {checked.taken + checked.refused} messages are not decoded:"]
    for example in checked.examples:
        lines += [f"    {msgspec.json.encode(example.message).decode()}", f"      {example.reason}"]
    return "\n".join(lines)


def _impossible(schema: Schema) -> str:
    """Why no message has that schema; empty where one may."""
    verdict = check(schema, True)
    return verdict.why if isinstance(verdict, Impossible) else ""
