"""Whom a new contract breaks and concerns, where some of what the registry had is gone, or was never negotiated."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, Question, conclude
from claude_comm.negotiation.weigh import weigh
from claude_comm.ops import agreements, impact, partners, registration
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.transport.driver import Client

WHOLE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
NARROW = {**WHOLE, "required": ["n", "m"]}


def agreed(producer: str, consumer: str) -> Agreement:
    question = Question(producer=producer, consumer=consumer, type="t", produced=WHOLE, accepted=WHOLE)
    return conclude(question, weigh(question), decided_by="caller", decided_us=1)


def declared(accepts: Any, **more: Any) -> Contract:
    return contract("sink", version="2.0.0", accepts={"t": accepts}, **more)


def concerned(client: Client, keys: Keys, new: Contract) -> list[tuple[str, str]]:
    found = client.run(impact.concerned(keys, new, now_ms=1)).partners
    return sorted((partner.direction, partner.partner) for partner in found)


@pytest.mark.parametrize("producer", ["source", "sink"])
def test_a_partner_is_broken_by_what_it_agreed_on_and_a_module_never_by_itself(
    client: Client, keys: Keys, producer: str
) -> None:
    agreement = agreed(producer, "sink")
    client.run(agreements.store(keys, agreement))
    broken = client.run(partners.broken(keys, declared(NARROW)))
    assert [partner.partner for partner in broken] == ["source"] * (producer == "source")
    assert concerned(client, keys, declared(NARROW)) == [("receives", "source")] * (producer == "source")
    client.control.one(Command(("HDEL", keys.agreements, agreement.id)))
    assert client.run(partners.broken(keys, declared(NARROW))) == [], "nobody knows what they had agreed on"
    assert concerned(client, keys, declared(NARROW)) == []


def test_a_reader_is_not_broken_by_a_module_that_sends_it_nothing_any_more(client: Client, keys: Keys) -> None:
    client.run(agreements.store(keys, agreed("sink", "reader")))
    assert client.run(partners.broken(keys, declared(WHOLE))) == []


def test_a_topic_whose_agreement_went_breaks_nobody(client: Client, keys: Keys) -> None:
    agreement = agreed("source", "topic:news")
    client.run(agreements.store(keys, agreement))
    reads = declared(NARROW, topics=["news"])
    assert [partner.partner for partner in client.run(partners.unread(keys, reads))] == ["source"]
    client.control.one(Command(("HDEL", keys.agreements, agreement.id)))
    assert client.run(partners.unread(keys, reads)) == []


def test_a_partner_that_only_declared_is_concerned_while_its_contract_is_there(client: Client, keys: Keys) -> None:
    sends = [Produced("t", WHOLE, "sink"), Produced("t", WHOLE, "elsewhere")]
    done = client.run(registration.register(keys, contract("source", produces=sends)))
    assert concerned(client, keys, declared(NARROW)) == [("receives", "source")]
    client.control.one(Command(("HDEL", keys.contracts, done.release.digest)))
    assert concerned(client, keys, declared(NARROW)) == []
