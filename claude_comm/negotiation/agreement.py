"""Agreements: the stored outcomes of negotiations, addressed by the content of their question.

Law: pure. The same question has the same id, so asking again is one lookup. A refusal is stored like an agreement;
only `accepted` tells them apart, and "could not tell" is not accepted.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, Micros
from claude_comm.errors import ClaudeCommError, NegotiationRefused
from claude_comm.registry.contracts import NEWER, Schema, Versioned
from claude_comm.schema.verdict import Compatible, Impossible, Incompatible, Policy, Verdict, passes

Decider = Literal["worker", "caller"]

# Part of every question's digest: a release whose verdicts may differ asks anew.
RULES_VERSION = 2
# Of the record that stands in the registry; see `Contract.v`.
VERSION = 1


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May `producer` send messages of this type, shaped as `produced`, to `consumer`, who accepts `accepted`?"""

    producer: str
    consumer: str
    type: str = DEFAULT_TYPE
    produced: Schema
    accepted: Schema
    policy: Policy = "closed-producer"


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """The stored outcome of one question. `decided_by` tells whether the worker or the caller's process did it."""

    id: str
    producer: str
    consumer: str
    type: str
    produced: Schema
    accepted: Schema
    policy: Policy
    verdict: Verdict
    decided_by: Decider
    decided_us: Micros
    v: int = VERSION

    @property
    def fits(self) -> bool:
        """Whether messages may be sent under it."""
        return passes(self.verdict)


class UnreadableAgreement(ClaudeCommError):
    """What stands in the registry is not an agreement."""


def digest(question: Question) -> str:
    """SHA-256 of the question in canonical form, as 64 hexadecimal digits."""
    text = msgspec.json.encode({"rules": RULES_VERSION, "question": question}, order="deterministic")
    return hashlib.sha256(text).hexdigest()


def answers(agreement: Agreement, id_: str) -> bool:
    """Whether this agreement is the answer to the question of that id: what stands in the registry, anybody may have
    written."""
    question = Question(
        producer=agreement.producer,
        consumer=agreement.consumer,
        type=agreement.type,
        produced=agreement.produced,
        accepted=agreement.accepted,
        policy=agreement.policy,
    )
    return agreement.id == id_ == digest(question)


def conclude(question: Question, verdict: Verdict, *, decided_by: Decider, decided_us: int) -> Agreement:
    return Agreement(
        id=digest(question),
        producer=question.producer,
        consumer=question.consumer,
        type=question.type,
        produced=question.produced,
        accepted=question.accepted,
        policy=question.policy,
        verdict=verdict,
        decided_by=decided_by,
        decided_us=decided_us,
    )


def require(agreement: Agreement) -> Agreement:
    """The agreement itself, if it allows messages. Raises NegotiationRefused with the first reason in its text."""
    if agreement.fits:
        return agreement
    pair = f"{agreement.producer!r} cannot send {agreement.type!r} messages to {agreement.consumer!r}"
    raise NegotiationRefused(f"{pair}: {why(agreement.verdict)}", agreement)


def why(verdict: Verdict) -> str:
    """The verdict in one sentence."""
    if passes(verdict):
        return "every message fits."
    if isinstance(verdict, Incompatible):
        witness = msgspec.json.encode(verdict.witness).decode(errors="replace")
        shown = witness if len(witness) <= 200 else witness[:197] + "..."
        reasons = " ".join(f"{reason.sentence} (at {reason.path})." for reason in verdict.reasons[:3])
        return f"for example the message {shown} would be refused. {reasons}"
    if isinstance(verdict, Impossible | Compatible):
        return f"{verdict.why if isinstance(verdict, Impossible) else verdict.vacuous}."
    return f"it could not be decided whether every message fits: {verdict.why} (at {verdict.place or 'the root'})."


def encode(agreement: Agreement) -> bytes:
    return msgspec.json.encode(agreement)


def decode(text: bytes) -> Agreement:
    """Raises UnreadableAgreement: another program may have written there."""
    try:
        if msgspec.json.decode(text, type=Versioned).v <= VERSION:
            return msgspec.json.decode(text, type=Agreement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableAgreement(f"a stored agreement cannot be read ({error}); negotiate again.") from None
    raise UnreadableAgreement(f"a stored agreement cannot be read ({NEWER}).")
