"""The partners of a module: who has an agreement with it, and whom a new contract would break.

Law: a partner is broken where the agreement that it has now would be a refusal with the new contract, adapters that
take no guess included. What cannot be decided counts as broken.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from claude_comm.effects import Operation
from claude_comm.errors import ContractRefused
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.negotiation.agreement import Agreement, Question, why
from claude_comm.negotiation.pairs import Pair
from claude_comm.negotiation.weigh import weigh
from claude_comm.ops import agreements
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Verdict, passes


class BrokenPartner(msgspec.Struct, frozen=True):
    """A partner whose agreement would not stand: `sends` where it is the producer. The verdict has the witness."""

    partner: str
    type: str
    sends: bool
    verdict: Verdict

    @property
    def sentence(self) -> str:
        what = f"what {self.partner} sends" if self.sends else f"what {self.partner} accepts"
        return f"{what} as {self.type!r} would not fit: {why(self.verdict)}"


def broken(keys: Keys, declared: Contract) -> Operation[list[BrokenPartner]]:
    """The partners that this contract would break, and those who publish what it would refuse to a topic of its own."""
    partners = yield from unread(keys, declared)
    for pair in (yield from agreements.pairs(keys, declared.module)):
        # What was declared for the module itself, by itself, it changes as a whole.
        if pair.producer != pair.consumer:
            for turn in pair.current:
                agreement = yield from agreements.of_turn(keys, pair, turn)
                if agreement is not None and agreement.fits and not agreement.readers:
                    partners += _weighed(pair, agreement, declared)
    return partners


def unread(keys: Keys, declared: Contract, topics: Collection[str] | None = None) -> Operation[list[BrokenPartner]]:
    """Those who publish to a topic that this contract reads, of these or of all of its own, what it would refuse."""
    partners = []
    for topic in declared.topics if topics is None else topics:
        for pair in (yield from agreements.pairs(keys, f"{TOPIC_PREFIX}{topic}")):
            for turn in pair.current:
                agreement = yield from agreements.of_turn(keys, pair, turn)
                if agreement is not None and agreement.fits:
                    verdict = weigh(reading(agreement, declared)).verdict
                    if not passes(verdict):
                        partners.append(BrokenPartner(pair.producer, pair.type, True, verdict))
    return partners


def refused(declared: Contract, hurt: Sequence[BrokenPartner]) -> ContractRefused:
    """The refusal of a module that would begin to read what it cannot take."""
    said = "".join(f"\n  {partner.sentence}" for partner in hurt)
    return ContractRefused(
        f"{declared.module!r} {declared.version} would begin to read a topic whose messages it refuses:{said}\n"
        "Widen what it accepts, register it with `--hold` (hold=True) to let its partners approve, or say "
        "`enforcement: warn` to have those messages buried as they come.",
        hurt,
        undecided=all(partner.verdict.answer == "undecided" for partner in hurt),
    )


def _weighed(pair: Pair, agreement: Agreement, declared: Contract) -> list[BrokenPartner]:
    sends = pair.consumer == declared.module
    question = reading(agreement, declared) if sends else sending(agreement, declared)
    if question is None:
        return []
    verdict = weigh(question).verdict
    return (
        [] if passes(verdict) else [BrokenPartner(pair.producer if sends else pair.consumer, pair.type, sends, verdict)]
    )


def reading(agreement: Agreement, declared: Contract) -> Question:
    """The question with the new contract as the one that reads."""
    asked, type = agreement.question, agreement.type
    accepted, aliases = declared.accepts.get(type, False), declared.aliases.get(type, {})
    return msgspec.structs.replace(asked, consumer=declared.module, accepted=accepted, aliases=aliases, readers={})


def sending(agreement: Agreement, declared: Contract) -> Question | None:
    """The question with the new contract as the one that sends; None where it does not send that any more."""
    asked = agreement.question
    produced = declared.sends(asked.consumer, asked.type)
    return None if produced is None else msgspec.structs.replace(asked, produced=produced)
