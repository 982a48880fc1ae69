"""Answers that were sent together wake those who wait for them together, and none is lost on the way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm import Settings
from claude_comm.client.identity import Identity, identify
from claude_comm.client.publisher import replies
from claude_comm.client.publisher.replies import LARGE_BYTES, Mailbox, reply
from claude_comm.effects import Effect
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused


class Asking:
    """A mailbox with requests that wait, and the answers that it has handed over."""

    def __init__(self, settings: Settings) -> None:
        self.identity = identify("asker", settings)
        self.mailbox: Mailbox[Asking] = Mailbox(self.identity)
        self.got: list[str] = []

    def put(self, answer: Envelope) -> None:
        self.got.append(answer.causation)

    def read(self, *replies: Any) -> list[list[str]]:
        """Reads once; the server's replies in turn. The words of each command that was sent, exchange by exchange."""
        sent: list[list[str]] = []
        reading = self.mailbox.reading()
        effect: Effect | None = next(reading)
        for answer in replies:
            sent.append([str(command.args[0]) + " BLOCK" * ("BLOCK" in command.args) for command in effect.commands])  # type: ignore[union-attr]
            try:
                effect = reading.throw(answer) if isinstance(answer, Exception) else reading.send(answer)
            except StopIteration as stop:
                effect = None
                self.mailbox.hand_over(stop.value)
        assert effect is None
        return sent

    def answers(self, *names: str, data: str = "") -> list[Any]:
        entries = [[f"1-{name}".encode(), [b"e", self._answer(name, data)]] for name in names]
        return [{self.mailbox.key.encode(): entries}] if entries else [None]

    def together(self, *names: str) -> list[Any]:
        """The same in one entry."""
        bodies = [msgspec.Raw(self._answer(name, "")) for name in names]
        return [{self.mailbox.key.encode(): [[b"1-1", [b"e", msgspec.msgpack.encode(bodies)]]]}]

    def _answer(self, name: str, data: str) -> bytes:
        request = Envelope(id=name, source="asker", target="t", time=1, reply_to=self.mailbox.address)
        made = reply(self._target(), request, data)
        assert made is not None
        self.mailbox.expect(name, self)
        return made.body

    def _target(self) -> Identity:
        return identify("t", self.identity.settings)


@pytest.fixture
def asking(settings: Settings) -> Asking:
    return Asking(settings)


def test_a_lone_request_reads_once(asking: Asking) -> None:
    asking.mailbox.expect("1", asking)
    assert asking.read(asking.answers("1")) == [["XREAD BLOCK"]]
    assert asking.read([1, *asking.answers("2")]) == [["XDEL", "XREAD BLOCK"]]
    assert asking.got == ["1", "2"]


def test_while_several_wait_all_that_came_by_the_end_of_the_wait_is_handed_over_together(asking: Asking) -> None:
    for name in ("1", "2", "3"):
        asking.mailbox.expect(name, asking)
    first, all_ = asking.answers("1"), asking.answers("1", "2", "3")
    assert asking.read([*first, *all_]) == [["XREAD BLOCK", "XREAD"]]
    assert asking.got == ["1", "2", "3"]
    # They are asked together again, most likely, though none waits at this moment.
    again = asking.answers("4")
    assert asking.read([3, *again, *again]) == [["XDEL", "XREAD BLOCK", "XREAD"]]
    assert asking.read([1, *asking.answers("5")]) == [["XDEL", "XREAD BLOCK"]]
    assert asking.got == ["1", "2", "3", "4", "5"]


def test_large_answers_travel_once(asking: Asking) -> None:
    for name in ("1", "2", "3", "4"):
        asking.mailbox.expect(name, asking)
    large = asking.answers("1", data="x" * LARGE_BYTES)
    assert asking.read([*large, *large]) == [["XREAD BLOCK", "XREAD"]]
    assert asking.read([1, *asking.answers("2")]) == [["XDEL", "XREAD BLOCK"]]
    small = asking.answers("3")
    assert asking.read([1, *small, *small]) == [["XDEL", "XREAD BLOCK", "XREAD"]]
    assert asking.got == ["1", "2", "3"]


def test_what_the_server_refuses_to_read_again_is_handed_over_by_the_next_read(asking: Asking) -> None:
    for name in ("1", "2"):
        asking.mailbox.expect(name, asking)
    with pytest.raises(ServerRefused):
        asking.read([*asking.answers("1"), ServerRefused("BUSY a script", code="BUSY")])
    both = asking.answers("1", "2")
    assert asking.read([*both, *both]) == [["XREAD BLOCK", "XREAD"]]
    assert asking.got == ["1", "2"]


def test_answers_in_one_entry_are_handed_over_one_by_one_and_the_entry_is_deleted(asking: Asking) -> None:
    all_ = asking.together("1", "2", "3")
    assert asking.read([*all_, *all_]) == [["XREAD BLOCK", "XREAD"]]
    assert asking.got == ["1", "2", "3"]
    assert asking.read([1, *asking.answers("4")]) == [["XDEL", "XREAD BLOCK"]]


def test_answers_that_came_in_one_entry_are_not_read_twice_the_next_time(asking: Asking) -> None:
    for name in ("1", "2", "3", "4", "5", "6", "7", "8"):
        asking.mailbox.expect(name, asking)
    first = asking.together("1", "2")
    assert asking.read([*first, *first]) == [["XREAD BLOCK", "XREAD"]]
    assert asking.read([1, *asking.together("3", "4")]) == [["XDEL", "XREAD BLOCK"]]
    assert asking.read([1, *asking.answers("5")]) == [["XDEL", "XREAD BLOCK"]]
    again = asking.answers("6", "7")
    assert asking.read([1, *again, *again]) == [["XDEL", "XREAD BLOCK", "XREAD"]]
    assert asking.got == ["1", "2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize(
    "foreign",
    [b"\xc0", b"\x93", b"\x80", msgspec.msgpack.encode({"v": 99}), msgspec.msgpack.encode([{"id": "1"}])],
    ids=["nil", "truncated", "nothing", "newer", "nested"],
)
def test_what_cannot_be_read_in_an_entry_keeps_none_of_the_others(asking: Asking, foreign: bytes) -> None:
    good = [asking._answer(name, "") for name in ("1", "2")]
    body = b"\x93" + good[0] + foreign + good[1]
    entries = [[b"1-1", [b"e", body]], [b"1-2", [b"e", asking._answer("3", "")]]]
    reply = {asking.mailbox.key.encode(): entries}
    asking.read([reply, reply])
    assert asking.got == (["3"] if foreign == b"\x93" else ["1", "2", "3"])


def test_one_that_checks_signatures_is_answered_one_by_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer has a seal of its own."""
    assert "/many-" in Mailbox(identify("asker", settings)).address
    monkeypatch.setattr(replies, "_trusted", lambda _: object())
    assert "/many-" not in Mailbox(identify("asker", settings)).address
