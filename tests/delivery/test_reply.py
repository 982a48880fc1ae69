"""Where an answer goes, and what the one who asked gets from it."""

from __future__ import annotations

import pytest

from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE, Failure, ReplyAddress, address, result
from claude_comm.errors import DecodeError, RequestFailed
from tests.support.facts import envelope


def test_an_address_is_read_back_from_its_text() -> None:
    written = ReplyAddress("app", "a1b2")
    assert (str(written), address(str(written))) == ("app/a1b2", written)


@pytest.mark.parametrize("text", ["", "app", "app/", "/a1b2", "app/a/b", "claude:{app}:inbox", "a b/c"])
def test_what_is_no_address_of_a_publisher_is_none(text: str) -> None:
    assert address(text) is None


def test_a_reply_is_its_payload_in_the_shape_that_was_asked_for() -> None:
    answer = envelope("b", "a", type=REPLY_TYPE, data=[1, 2], causation="asked")
    assert result(answer, "b", list[int]) == [1, 2]
    with pytest.raises(DecodeError):
        result(answer, "b", list[str])


def test_a_failure_is_raised_with_all_that_is_known_of_it() -> None:
    failure = Failure("failed 3 times", error="KeyError", text="'n'", path="$.n")
    with pytest.raises(RequestFailed) as raised:
        result(envelope("b", "a", type=FAILURE_TYPE, data=failure, causation="asked"), "b", dict)
    error = raised.value
    assert (error.target, error.id, error.reason) == ("b", "asked", "failed 3 times")
    assert (error.error, error.text, error.path) == ("KeyError", "'n'", "$.n")


def test_a_failure_that_cannot_be_read_is_a_failure_all_the_same() -> None:
    with pytest.raises(RequestFailed, match="cannot be read"):
        result(envelope("b", "a", type=FAILURE_TYPE, data=7), "b", dict)
