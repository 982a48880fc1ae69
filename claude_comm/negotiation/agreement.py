"""Agreements: the stored outcomes of negotiations, addressed by the content of their question.

Law: pure. The same question has the same id, so asking again is one lookup. A refusal is stored like an agreement;
only `fits` tells them apart, and "could not tell" does not fit. What is agreed on with an adapter is sent as the
producer has it, and adapted where it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, Micros
from claude_comm.errors import ClaudeCommError, NegotiationRefused
from claude_comm.registry.contracts import NEWER, Aliases, Schema, Versioned
from claude_comm.schema.evolution.adapter import Adapter
from claude_comm.schema.verdict import Compatible, Impossible, Incompatible, Policy, Verdict, passes

Decider = Literal["worker", "caller"]

# Part of every question's digest: a release whose verdicts may differ asks anew.
RULES_VERSION = 3
# Of the record that stands in the registry; see `Contract.v`. Version 1 knew no adapters.
VERSION = 2


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May `producer` send messages of this type, shaped as `produced`, to `consumer`, who accepts `accepted`?

    The versions and digests are those of the two contracts, empty for what no contract declares; `aliases` are the
    former names that the consumer declares. For `topic:NAME` as the consumer, `readers` maps each module that reads it
    to the id of the agreement with it, and `accepted` is what all of them are asked about: nothing of its own.
    """

    producer: str
    consumer: str
    type: str = DEFAULT_TYPE
    produced: Schema
    accepted: Schema
    policy: Policy = "closed-producer"
    producer_version: str = ""
    consumer_version: str = ""
    producer_digest: str = ""
    consumer_digest: str = ""
    aliases: Aliases = {}
    readers: dict[str, str] = {}


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter that nobody may apply unasked, because a step of it is a guess, or because it is not proved."""

    adapter: Adapter
    sentences: tuple[str, ...]
    proved: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a question. With an `adapter` the verdict is about what comes out of it, `steps` says
    what it does, and `unadapted` is the verdict without it."""

    verdict: Verdict
    adapter: Adapter | None = None
    steps: tuple[str, ...] = ()
    unadapted: Verdict | None = None
    proposals: tuple[Proposed, ...] = ()


class Agreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stored outcome of one negotiation: the question, the verdict, who decided it and when.

    `decided_by` says whether the worker or the caller's process decided.
    """

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
    producer_version: str = ""
    consumer_version: str = ""
    producer_digest: str = ""
    consumer_digest: str = ""
    aliases: Aliases = {}
    readers: dict[str, str] = {}
    adapter: Adapter | None = None
    steps: tuple[str, ...] = ()
    unadapted: Verdict | None = None
    proposals: tuple[Proposed, ...] = ()
    v: int = 1

    @property
    def fits(self) -> bool:
        """Whether messages may be sent under this agreement."""
        return passes(self.verdict)

    @property
    def answer(self) -> str:
        """The verdict in a word: `adapted` where it takes an adapter."""
        return "adapted" if self.fits and self.adapter is not None else self.verdict.answer

    @property
    def question(self) -> Question:
        """What it answers."""
        return Question(**{name: getattr(self, name) for name in Question.__struct_fields__})


class UnreadableAgreement(ClaudeCommError):
    """What stands in the registry is not an agreement."""


def digest(question: Question) -> str:
    """SHA-256 of the question in canonical form, as 64 hexadecimal digits."""
    text = msgspec.json.encode({"rules": RULES_VERSION, "question": question}, order="deterministic")
    return hashlib.sha256(text).hexdigest()


def adapter_digest(adapter: Adapter) -> str:
    """The address of an adapter: the same steps have the same one."""
    return hashlib.sha256(msgspec.json.encode(adapter, order="deterministic")).hexdigest()[:32]


def answers(agreement: Agreement, id_: str) -> bool:
    """Whether this agreement is the answer to the question of that id: what stands in the registry, anybody may have
    written."""
    return agreement.id == id_ == digest(agreement.question)


def conclude(question: Question, answer: Answer, *, decided_by: Decider, decided_us: int) -> Agreement:
    asked = {name: getattr(question, name) for name in Question.__struct_fields__}
    answered = {name: getattr(answer, name) for name in Answer.__struct_fields__}
    return Agreement(id=digest(question), decided_by=decided_by, decided_us=decided_us, v=VERSION, **asked, **answered)


def require(agreement: Agreement) -> Agreement:
    """The agreement itself, if it allows messages. Raises NegotiationRefused with the first reason in its text."""
    return require_one([agreement])


def require_one(agreements: Sequence[Agreement]) -> Agreement:
    """The first that allows messages. Raises NegotiationRefused with the reasons of each."""
    for agreement in agreements:
        if agreement.fits:
            return agreement
    first = agreements[0]
    pair = f"{first.producer!r} cannot send {first.type!r} messages to {first.consumer!r}"
    if len(agreements) == 1:
        raise NegotiationRefused(f"{pair}: {why(first.verdict)}{_proposed(first)}", first, agreements)
    versions = "".join(
        f"\n  {agreement.consumer_version}: {why(agreement.verdict)}{_proposed(agreement)}" for agreement in agreements
    )
    raise NegotiationRefused(f"{pair}, in no version that is offered:{versions}", first, agreements)


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


def _proposed(agreement: Agreement) -> str:
    """What would mend it, and takes somebody's word for it."""
    proved = next((proposal for proposal in agreement.proposals if proposal.proved), None)
    return f" It would fit if {', and '.join(proved.sentences)}; that is a guess." if proved else ""


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
