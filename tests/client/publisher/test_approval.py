"""A running publisher whose messages are refused goes on by itself, once somebody approves an adapter."""

from __future__ import annotations

from claude_comm import ModuleCommunicator, Publisher, Settings
from claude_comm.client.publisher import rounds
from claude_comm.errors import NegotiationRefused
from claude_comm.names import Keys
from claude_comm.negotiation.dialogue import Counter
from claude_comm.ops import agreements
from claude_comm.transport.driver import Client
from tests.support.streams import sent
from tests.support.waiting import wait_until

SENT = {"type": "object", "properties": {"document": {"type": "string"}}, "required": ["document"]}
# A rename by likeness is a guess: it is proposed, and never applied unasked.
TAKEN = {"type": "object", "properties": {"documents": {"type": "string"}}, "required": ["documents"]}


def test_an_approval_is_picked_up_by_a_running_publisher(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with ModuleCommunicator("sink", settings=settings) as sink, Publisher("src", settings=settings) as publisher:
        sink.register(accepts={"item": SENT}, version="1.0.0")
        publisher.negotiate("sink", SENT, type="item")
        sink.register(accepts={"item": TAKEN}, version="2.0.0")

        def goes_through() -> bool:
            try:
                publisher.publish("sink", {"document": "x"}, type="item")
            except NegotiationRefused:
                return False
            return True

        wait_until(lambda: not goes_through(), what="the refusal")
        (refusal,) = [it for it in client.run(agreements.everything(keys)).agreements if not it.fits]
        assert not goes_through()
        approved = rounds.answer(client, keys, refusal, Counter(by="consumer", approve=1))
        wait_until(goes_through, what="the approval")
    assert approved.adapter is not None
    assert sent(client, settings, "sink")[-1].agreement == approved.id
