"""Agreements: what was negotiated, and one agreement with its proof, witness, adapter and history."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.errors import NotFound
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.negotiation.agreement import Agreement, why
from claude_comm.negotiation.pairs import Pair, RecordedOutcome
from claude_comm.ops import agreements
from claude_comm.schema.verdict import Incompatible, Reason, Verdict

PAGE = 50
ANSWERS = ("", "compatible", "adapted", "incompatible", "impossible", "undecided")


class UnknownAgreement(NotFound):
    """No agreement is stored under this id."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"no agreement has the id {id_!r}: `claude-comm agreements` lists those that are stored.")


class Row(msgspec.Struct, frozen=True):
    """One pair of modules and what holds between them now."""

    producer: str
    consumer: str
    type: str
    turn: RecordedOutcome
    turns: int


class Agreements(msgspec.Struct, frozen=True):
    """A page of pairs, the latest decision first; `after` is where the next one begins, 0 at the end."""

    module: str
    answer: str
    rows: list[Row]
    counts: dict[str, int]
    of: int
    after: int


class AgreementPage(msgspec.Struct, frozen=True):
    """One agreement: why it is so, the witness where there is one, the adapter and what could be guessed."""

    agreement: Agreement
    why: str
    reasons: tuple[Reason, ...]
    has_witness: bool
    witness: Any
    unadapted: Verdict | None
    pair: Pair | None


def listed(system: System, query: PageAddress) -> Agreements:
    module, answer = query.text("module"), query.choice("answer", ANSWERS)
    pairs = system.client.run(agreements.pairs(system.keys, module) if module else agreements.all_pairs(system.keys))
    rows = [
        Row(pair.producer, pair.consumer, pair.type, turn, len(pair.history)) for pair in pairs if (turn := pair.latest)
    ]
    counts = {known: sum(row.turn.answer == known for row in rows) for known in ANSWERS[1:]}
    chosen = sorted(
        (row for row in rows if answer in ("", row.turn.answer)),
        key=lambda row: (-row.turn.at_us, row.producer, row.consumer, row.type),
    )
    start = query.number("after")
    page = chosen[start : start + PAGE]
    end = start + len(page)
    return Agreements(module, answer, page, counts, len(chosen), end if end < len(chosen) else 0)


def agreement(system: System, query: PageAddress) -> AgreementPage:
    """Raises UnknownAgreement."""
    stored = system.client.run(agreements.find(system.keys, query.part("id")))
    if stored is None:
        raise UnknownAgreement(query.part("id"))
    verdict = stored.verdict
    # What an adapter mends is shown as well: the message that would have been refused without it.
    refusal = next((known for known in (verdict, stored.unadapted) if isinstance(known, Incompatible)), None)
    return AgreementPage(
        agreement=stored,
        why=why(verdict),
        reasons=refusal.reasons if refusal else (),
        has_witness=refusal is not None,
        witness=refusal.witness if refusal else None,
        unadapted=stored.unadapted,
        pair=system.client.run(agreements.pair(system.keys, stored.producer, stored.consumer, stored.type)),
    )
