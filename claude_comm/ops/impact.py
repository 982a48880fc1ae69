"""Whom a new contract of a module concerns: by agreements, by topics, and by what others have declared.

Law: nothing is changed. A partner that has negotiated is asked about by what it agreed on, each of its versions; one
that has not, by the contracts that messages may come from or be meant for.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from claude_comm.effects import Operation
from claude_comm.impact.effects import Direction
from claude_comm.impact.weigh import Declared
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.negotiation.pairs import Pair
from claude_comm.ops import agreements, registry
from claude_comm.ops.partners import reading, sending
from claude_comm.ops.registry import Directory, Standing
from claude_comm.registry.contracts import Contract, Produced


class Concerned(msgspec.Struct, frozen=True):
    """The partners, and the agreements that were read on the way, by id."""

    partners: list[Declared]
    agreements: dict[str, Agreement]


def concerned(keys: Keys, new: Contract, *, now_ms: int) -> Operation[Concerned]:
    """All partners of the module under its new contract."""
    read: dict[str, Agreement] = {}
    partners = yield from _negotiated(keys, new, read)
    directory = yield from registry.everyone(keys, now_ms=now_ms)
    partners += yield from _declared(keys, new, directory, partners)
    return Concerned(partners, read)


def _negotiated(keys: Keys, new: Contract, read: dict[str, Agreement]) -> Operation[list[Declared]]:
    partners: dict[tuple[str, str, str, str], Declared] = {}
    targets = [new.module, *(f"{TOPIC_PREFIX}{topic}" for topic in new.topics)]
    for target in targets:
        for pair in (yield from agreements.pairs(keys, target)):
            if pair.producer == pair.consumer:
                # What was declared for the module itself, by itself, it changes as a whole.
                continue
            for turn in pair.current:
                agreement = read.get(turn.agreement) or (yield from agreements.of_turn(keys, pair, turn))
                if agreement is None:
                    continue
                read[agreement.id] = agreement
                is_topic = pair.consumer.startswith(TOPIC_PREFIX)
                if agreement.fits and not (is_topic and pair.producer == new.module):
                    partner = _of_agreement(pair, agreement, new)
                    key = (partner.direction, partner.partner, partner.type, partner.version)
                    partners.setdefault(key, partner)
    return list(partners.values())


def _of_agreement(pair: Pair, agreement: Agreement, new: Contract) -> Declared:
    if pair.producer != new.module:
        return Declared(
            partner=pair.producer,
            type=pair.type,
            direction="receives",
            version=agreement.producer_version,
            agreement=agreement.id,
            question=reading(agreement, new),
        )
    return Declared(
        partner=pair.consumer,
        type=pair.type,
        direction="sends",
        version=agreement.consumer_version,
        agreement=agreement.id,
        question=sending(agreement, new),
    )


def _declared(keys: Keys, new: Contract, directory: Directory, known: list[Declared]) -> Operation[list[Declared]]:
    """Partners that have declared to send to the module, or that it declares to send to, and have not negotiated."""
    met = {(partner.direction, partner.partner, partner.type) for partner in known}
    others = [standing for standing in directory.modules if standing.module != new.module]
    wanted = list(dict.fromkeys([*_senders(others, new), *_readers(others, new)]))
    contracts = yield from registry.contracts_of(keys, wanted)
    partners: list[Declared] = []
    for (_, digest), contract in ((key, contracts.get(key[1])) for key in wanted):
        if contract is not None:
            partners += [
                partner
                for partner in (*_sent_by(contract, new, digest), *_read_by(contract, new, digest))
                if (partner.direction, partner.partner, partner.type) not in met
            ]
    return partners


def _targets(contract: Contract) -> set[str]:
    return {contract.module, *(f"{TOPIC_PREFIX}{topic}" for topic in contract.topics)}


def _senders(others: list[Standing], new: Contract) -> Iterator[tuple[str, str]]:
    targets = _targets(new)
    for standing in others:
        for release in standing.offered():
            if any(sent.target in targets for sent in release.produces):
                yield standing.module, release.digest


def _readers(others: list[Standing], new: Contract) -> Iterator[tuple[str, str]]:
    targets = {produced.target for produced in new.produces}
    for standing in others:
        for release in standing.offered():
            if targets & {standing.module, *(f"{TOPIC_PREFIX}{topic}" for topic in release.topics)}:
                yield standing.module, release.digest


def _sent_by(contract: Contract, new: Contract, digest: str) -> Iterator[Declared]:
    for produced in contract.produces:
        if produced.target in _targets(new):
            asked = _question(contract, new, produced)
            asked = msgspec.structs.replace(asked, producer_version=contract.version, producer_digest=digest)
            yield _partner(contract, "receives", asked)


def _read_by(contract: Contract, new: Contract, digest: str) -> Iterator[Declared]:
    for produced in new.produces:
        if produced.target in _targets(contract) and (
            produced.target == contract.module or produced.type in contract.accepts
        ):
            asked = _question(new, contract, produced)
            asked = msgspec.structs.replace(asked, consumer_version=contract.version, consumer_digest=digest)
            yield _partner(contract, "sends", asked)


def _partner(partner: Contract, direction: Direction, asked: Question) -> Declared:
    return Declared(
        partner=partner.module, type=asked.type, direction=direction, version=partner.version, question=asked
    )


def _question(producer: Contract, consumer: Contract, produced: Produced) -> Question:
    """Whether what the one declares that it sends fits the other."""
    return Question(
        producer=producer.module,
        consumer=consumer.module,
        type=produced.type,
        produced=produced.schema,
        accepted=consumer.accepts.get(produced.type, False),
        aliases=consumer.aliases.get(produced.type, {}),
    )
