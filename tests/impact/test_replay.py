"""Replaying messages: each that fails is named, and the first of them with the place and the reason."""

from __future__ import annotations

from claude_comm.impact.replay import MAX_REASONS, Replay
from claude_comm.registry.contracts import contract
from tests.support.facts import envelope


def test_of_very_many_failing_messages_all_are_named_and_the_first_explained() -> None:
    old = contract("b", accepts={"message": {"type": "object"}})
    new = contract("b", version="2.0.0", accepts={"message": {"type": "object", "required": ["n"]}})
    replay = Replay(new, old)
    sent = [envelope(data={"m": number}) for number in range(MAX_REASONS + 2)]
    assert replay.envelopes(sent, "settled") == len(sent)
    failing = replay.of("a", "message").failing
    assert list(failing) == [message.id for message in sent]
    assert [bool(message.why) for message in failing.values()] == [True] * MAX_REASONS + [False] * 2
