"""Rounds of a dialogue: what may be offered, what is approved, and where it ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation import dialogue
from claude_comm.negotiation.agreement import Question
from claude_comm.negotiation.dialogue import Counter
from claude_comm.negotiation.pairs import MAX_ROUNDS, Pair, decode, encode, new, turn_of
from claude_comm.negotiation.weigh import weigh

# A rename by likeness is a guess: it is proposed, and never applied unasked.
SENT = {"type": "object", "properties": {"document": {"type": "string"}, "n": {}}, "required": ["document"]}
TAKEN = {"type": "object", "properties": {"documents": {"type": "string"}}, "required": ["documents"]}
QUESTION = Question(
    producer="src", consumer="sink", type="item", produced=SENT, accepted=TAKEN, producer_version="1.0.0"
)


def answered(counter: Counter, question: Question = QUESTION) -> agreements.Agreement:
    asked, found = dialogue.weighed(question, counter)
    return agreements.conclude(asked, found, decided_by="caller", decided_us=1)


def test_a_proposal_that_either_side_approves_is_agreed_on() -> None:
    assert weigh(QUESTION).adapter is None
    counter = Counter(by="consumer", approve=1, note="they are the same")
    agreement = answered(counter)
    assert (agreement.answer, bool(agreement.steps)) == ("adapted", True)
    # It answers the very question that was refused: whoever asks it again is given this.
    assert agreements.answers(agreement, agreements.digest(QUESTION))
    assert dialogue.is_binding(counter, agreement)
    with pytest.raises(ConfigurationError, match="no proposal 9"):
        answered(Counter(by="producer", approve=9))


def test_an_offer_is_weighed_and_does_not_bind() -> None:
    wider = {"anyOf": [TAKEN, SENT]}
    counter = Counter(by="consumer", accepted=wider)
    agreement = answered(counter)
    assert agreement.fits
    assert not dialogue.is_binding(counter, agreement)
    either = {"type": "object", "properties": {"documents": {"type": ["string", "null"]}}, "required": ["documents"]}
    question = Question(producer="src", consumer="sink", produced=either, accepted=TAKEN)
    assert answered(Counter(by="producer", produced=TAKEN), question).fits


@pytest.mark.parametrize(
    "counter",
    [Counter(by="producer", produced=True), Counter(by="consumer", accepted={"type": "object", "required": ["q"]})],
)
def test_a_round_moves_towards_the_other_side(counter: Counter) -> None:
    with pytest.raises(ConfigurationError, match="moves towards"):
        answered(counter)


@pytest.mark.parametrize(
    "given", [{}, {"produced": True}, {"accepted": True, "approve": 1}, {"by": "consumer", "produced": True}]
)
def test_a_counter_proposal_says_one_thing_that_its_side_may_say(given: dict[str, Any]) -> None:
    counter = Counter(**{"by": "producer", **given})
    if counter.by == "producer" and given == {"produced": True}:
        dialogue.check_counter(counter, None)
        return
    with pytest.raises(ConfigurationError, match="one of them"):
        dialogue.check_counter(counter, None)


def test_rounds_are_bounded_recorded_and_over_when_a_version_changes() -> None:
    refused = agreements.conclude(QUESTION, weigh(QUESTION), decided_by="caller", decided_us=1)
    counter = Counter(by="producer", approve=1)
    pair: Pair = new(refused).with_turn(turn_of(refused, at_us=1))
    for at in range(MAX_ROUNDS):
        dialogue.check_counter(counter, pair)
        pair = pair.with_round(turn_of(refused, at_us=at, because=counter.sentence), is_binding=False)
    with pytest.raises(ConfigurationError, match="ended in refusal"):
        dialogue.check_counter(counter, pair)
    assert len(pair.history) == 1 + MAX_ROUNDS
    assert pair.current == pair.history[:1]
    again = decode(encode(pair))
    assert again == pair
    later = msgspec.structs.replace(refused, producer_version="2.0.0")
    assert pair.with_turn(turn_of(refused, at_us=9)).rounds == pair.rounds
    assert pair.with_turn(turn_of(later, at_us=9)).rounds == []


def test_an_approval_of_what_fits_already_is_the_proof_itself_and_of_a_guess_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = Question(producer="src", consumer="sink", produced=TAKEN, accepted=TAKEN)
    assert answered(Counter(by="consumer", approve=1), fits).verdict == weigh(fits).verdict
    guesses = weigh(QUESTION)
    unproved = [msgspec.structs.replace(proposal, proved=False) for proposal in guesses.proposals]
    monkeypatch.setattr(dialogue, "weigh", lambda _: msgspec.structs.replace(guesses, proposals=unproved))
    with pytest.raises(ConfigurationError, match="proposal 1 is not proved"):
        answered(Counter(by="consumer", approve=1))
