"""Answers that were sent together wake those who wait for them together, and none is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.identity import Identity, identify
from claude_comm.client.publisher.replies import Mailbox, reply
from claude_comm.effects import Effect
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerUnreachable


class Asking:
    """A mailbox with requests that wait, and the answers that it has handed over."""

    def __init__(self, settings: Settings) -> None:
        self.identity = identify("asker", settings)
        self.mailbox = Mailbox(self.identity)
        self.got: list[str] = []

    def read(self, *replies: Any) -> list[list[str]]:
        """Reads once; the server's replies in turn. The words of each command that was sent, exchange by exchange."""
        sent: list[list[str]] = []
        reading = self.mailbox.reading()
        effect: Effect | None = next(reading)
        for answer in replies:
            sent.append([str(command.args[0]) + " BLOCK" * ("BLOCK" in command.args) for command in effect.commands])  # type: ignore[union-attr]
            try:
                effect = reading.throw(answer) if isinstance(answer, Exception) else reading.send(answer)
            except StopIteration:
                effect = None
        assert effect is None
        return sent

    def answers(self, *names: str) -> list[Any]:
        entries = [[f"1-{name}".encode(), [b"e", self._answer(name)]] for name in names]
        return [{self.mailbox.key.encode(): entries}] if entries else [None]

    def _answer(self, name: str) -> bytes:
        request = Envelope(id=name, source="asker", target="t", time=1, reply_to=self.mailbox.address)
        made = reply(self._target(), request, name)
        assert made is not None
        self.mailbox.expect(name, lambda envelope: self.got.append(envelope.causation))
        return made.body

    def _target(self) -> Identity:
        return identify("t", self.identity.settings)


@pytest.fixture
def asking(settings: Settings) -> Asking:
    return Asking(settings)


def test_a_lone_answer_is_handed_over_after_one_exchange(asking: Asking) -> None:
    asking.mailbox.expect("other", lambda _: None)
    assert asking.read(asking.answers("1")) == [["XREAD BLOCK"]]
    assert asking.read([1, *asking.answers("2")]) == [["XDEL", "XREAD BLOCK"]]
    assert asking.got == ["1", "2"]


def test_once_several_came_the_first_of_the_next_is_handed_over_with_the_others(asking: Asking) -> None:
    asking.mailbox.expect("other", lambda _: None)
    asking.read(asking.answers("1", "2"))
    assert asking.read([1, *asking.answers("3")], [1, *asking.answers("4", "5")]) == [
        ["XDEL", "XREAD BLOCK"],
        ["XDEL", "XREAD"],
    ]
    assert asking.got == ["1", "2", "3", "4", "5"]
    # Nothing more came: from then on it is as before.
    assert len(asking.read([2, *asking.answers("6")], [1, *asking.answers()])) == 2
    assert len(asking.read([*asking.answers("7")])) == 1


def test_a_server_that_goes_away_meanwhile_takes_no_answer_with_it(asking: Asking) -> None:
    asking.mailbox.expect("other", lambda _: None)
    asking.read(asking.answers("1", "2"))
    asking.read([1, *asking.answers("3")], ServerUnreachable("redis://x", "reset"))
    assert asking.got == ["1", "2", "3"]
