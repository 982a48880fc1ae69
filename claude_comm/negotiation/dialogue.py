"""Dialogues: what either side offers after a refusal, a round at a time, until both agree or the rounds are used up.

Law: a round is weighed like any question, and what it says is proved. A producer may offer less than it declares to
send, a consumer more than it declares to accept: such an offer holds once it is registered, or sent. Either side may
approve an adapter that a refusal proposes, guesses included, if what comes out of it is proved to fit; from then on it
is what the two have agreed on.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.negotiation.agreement import Agreement, Answer, Question
from claude_comm.negotiation.pairs import MAX_ROUNDS, Pair
from claude_comm.negotiation.weigh import weigh
from claude_comm.registry.contracts import Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Compatible, passes


class Counter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A counter-proposal: one of `produced` (by the producer), `accepted` (by the consumer), and `approve`, the
    position of a proposal of the refusal, counted from 1."""

    by: Literal["producer", "consumer"]
    produced: Schema | None = None
    accepted: Schema | None = None
    approve: int | None = None
    note: str = ""

    @property
    def sentence(self) -> str:
        """For the history."""
        what = (
            f"approves proposal {self.approve}"
            if self.approve is not None
            else "offers to send less"
            if self.produced is not None
            else "offers to accept more"
        )
        return f"the {self.by} {what}" + (f": {self.note}" if self.note else "")


def check_counter(counter: Counter, pair: Pair | None) -> None:
    """Raises ConfigurationError for a counter-proposal that says nothing, or of a side that cannot make it, and where
    the dialogue has had its rounds."""
    allowed = {"producer": counter.produced, "consumer": counter.accepted}
    offers = [offer for offer in (counter.produced, counter.accepted, counter.approve) if offer is not None]
    if len(offers) != 1 or (counter.approve is None and allowed[counter.by] is None):
        raise ConfigurationError(
            "a counter-proposal is `produced` by the producer, `accepted` by the consumer, or `approve` with the "
            "number of a proposal, by either: one of them."
        )
    if pair is not None and len(pair.rounds) >= MAX_ROUNDS:
        raise ConfigurationError(
            f"the dialogue has had its {MAX_ROUNDS} rounds and ended in refusal: register another version to begin "
            "anew."
        )


def weighed(question: Question, counter: Counter) -> tuple[Question, Answer]:
    """The question of the round, and its answer. Raises ConfigurationError for an offer that is none."""
    if counter.approve is not None:
        return question, _approved(question, counter.approve, counter.sentence)
    if counter.produced is not None:
        _require_within(counter.produced, question.produced, "what is offered to be sent is not less than before")
        changed = msgspec.structs.replace(question, produced=counter.produced, producer_digest="")
    else:
        assert counter.accepted is not None
        _require_within(question.accepted, counter.accepted, "what is offered to be accepted is not more than before")
        changed = msgspec.structs.replace(question, accepted=counter.accepted, consumer_digest="")
    return changed, weigh(changed)


def is_binding(counter: Counter, agreement: Agreement) -> bool:
    """Whether this round is an agreement: an approval is. An offer becomes one when it is registered or sent."""
    return counter.approve is not None and agreement.fits


def _approved(question: Question, number: int, sentence: str) -> Answer:
    answer = weigh(question)
    if passes(answer.verdict):
        return answer
    if not 1 <= number <= len(answer.proposals):
        raise ConfigurationError(f"there is no proposal {number}: the refusal has {len(answer.proposals)}.")
    proposal = answer.proposals[number - 1]
    if not proposal.proved:
        raise ConfigurationError(
            f"proposal {number} is not proved to make every message fit: only a proved one can be approved."
        )
    proof = Compatible(proof=f"proved of what comes out of the adapter, approved: {sentence}")
    return Answer(verdict=proof, adapter=proposal.adapter, steps=proposal.sentences, unadapted=answer.verdict)


def _require_within(narrow: Schema, wide: Schema, otherwise: str) -> None:
    if not passes(verdict := check(narrow, wide, policy="strict")):
        raise ConfigurationError(f"{otherwise} ({verdict.answer}): a round moves towards the other side.")
