"""Objects of dataclasses that were received are sent on whole, with the defaults that msgspec leaves to their class."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from claude_comm.client.payload_types import produced
from claude_comm.errors import AgreementBroken
from tests.support.typed_values import deliver, sender, take


@dataclasses.dataclass
class Note:
    n: int
    text: str = "x"
    inner: Note | None = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    n: int
    text: str = "x"


@dataclasses.dataclass(slots=True)
class Slotted:
    n: int
    text: str = "x"


class Holder(Struct):
    note: Note


SENT: list[tuple[Any, Any]] = [
    (Note, {"n": 1}),
    (Note, {"n": 1, "inner": {"n": 2}}),
    (Frozen, {"n": 1}),
    (Slotted, {"n": 1}),
    (Holder, {"note": {"n": 1}}),
    (list[Note], [{"n": 1}]),
    (dict[str, Note], {"a": {"n": 1}}),
    (tuple[Frozen, int], [{"n": 1}, 2]),
]


@pytest.mark.parametrize(("shape", "form"), SENT, ids=str)
def test_what_was_received_is_sent_on_whole(shape: Any, form: Any) -> None:
    received = take(form, shape)
    assert deliver(received, sender(produced(shape)), shape) == received


def test_a_default_that_the_contract_does_not_allow_is_refused_as_any_value() -> None:
    received = take({"n": 1}, Note)
    send = sender({**produced(Frozen), "additionalProperties": False})
    with pytest.raises(AgreementBroken):
        send(received)


def test_what_is_not_there_at_all_is_refused() -> None:
    received = take({"n": 1}, Note)
    del received.n
    with pytest.raises(AgreementBroken):
        sender(produced(Note))(received)
    assert msgspec.to_builtins(received) == {"text": "x", "inner": None}
