"""Pairs: what a producer and a consumer agree on for one type of message, now and before.

Law: pure. A pair is small: it names agreements, which stand under their own digests. For each contract of the producer
there is one current turn; the history keeps the latest of them, whichever it was about.
"""

from __future__ import annotations

import msgspec

from claude_comm.envelope import Micros
from claude_comm.negotiation.agreement import Agreement
from claude_comm.registry.contracts import Versioned

VERSION = 1
MAX_HISTORY, MAX_CURRENT, MAX_ROUNDS = 50, 8, 10


class RecordedOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome: which agreement, between which versions, `answer` in a word, by whom and when. `because` says what
    made it be asked."""

    agreement: str
    answer: str
    producer_version: str = ""
    consumer_version: str = ""
    producer_digest: str = ""
    consumer_digest: str = ""
    decided_by: str = ""
    at_us: Micros = 0
    because: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The turns of one pair: the current one of each contract of the producer (the last is the latest), and before.
    `rounds` are those of the dialogue about the present versions."""

    producer: str
    consumer: str
    type: str
    current: list[RecordedOutcome] = []
    history: list[RecordedOutcome] = []
    rounds: list[RecordedOutcome] = []
    v: int = VERSION

    @property
    def name(self) -> str:
        return name_of(self.producer, self.consumer, self.type)

    @property
    def latest(self) -> RecordedOutcome | None:
        return self.current[-1] if self.current else None

    def holds(self, turn: RecordedOutcome) -> bool:
        """Whether that is the current turn of its producer's contract already."""
        return any(held.agreement == turn.agreement for held in self.current)

    def with_turn(self, turn: RecordedOutcome) -> Pair:
        others = [held for held in self.current if held.producer_digest != turn.producer_digest]
        goes_on = bool(self.rounds) and _versions(self.rounds[-1]) == _versions(turn)
        return msgspec.structs.replace(
            self,
            current=[*others, turn][-MAX_CURRENT:],
            history=[*self.history, turn][-MAX_HISTORY:],
            rounds=self.rounds if goes_on else [],
        )

    def with_round(self, turn: RecordedOutcome, *, is_binding: bool) -> Pair:
        """The pair after a round of its dialogue; one that binds is the current turn as well."""
        after = self.with_turn(turn) if is_binding else self
        history = after.history if is_binding else [*after.history, turn][-MAX_HISTORY:]
        return msgspec.structs.replace(after, history=history, rounds=[*self.rounds, turn][-MAX_ROUNDS:])


def _versions(turn: RecordedOutcome) -> tuple[str, str]:
    return turn.producer_version, turn.consumer_version


def new(agreement: Agreement) -> Pair:
    """The pair of an agreement, without turns."""
    return Pair(producer=agreement.producer, consumer=agreement.consumer, type=agreement.type)


def name_of(producer: str, consumer: str, type: str) -> str:
    """The field of a pair: names have no slash."""
    return f"{producer}/{consumer}/{type}"


def turn_of(agreement: Agreement, *, at_us: int, because: str = "") -> RecordedOutcome:
    return RecordedOutcome(
        agreement=agreement.id,
        answer=agreement.answer,
        producer_version=agreement.producer_version,
        consumer_version=agreement.consumer_version,
        producer_digest=agreement.producer_digest,
        consumer_digest=agreement.consumer_digest,
        decided_by=agreement.decided_by,
        at_us=at_us,
        because=because,
    )


def encode(pair: Pair) -> bytes:
    return msgspec.json.encode(pair)


def decode(text: bytes | None) -> Pair | None:
    """None for what is no pair, or one that a newer release wrote with another meaning."""
    try:
        if text and msgspec.json.decode(text, type=Versioned).v <= VERSION:
            return msgspec.json.decode(text, type=Pair)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return None
