"""A test that is given messages runs for the edges of a contract, and fails with the smallest message that fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import hypothesis
import msgspec
import pytest

from claude_comm import Context, Module
from claude_comm.testing import HandledMessage, HandlerFailed, given_messages, messages


class Item(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=0, le=1_000)]


class Double(msgspec.Struct):
    double: int


def doubler(*, at: int | None = None) -> Module:
    module = Module("doubler")

    @module.handles("item")
    def item(item: Item, context: Context) -> Double:
        if at is not None and item.count >= at:
            raise ValueError("too large")
        context.send("sink", item.count, type="count")
        return Double(2 * item.count)

    return module


seen: list[int] = []


@given_messages(doubler(), examples=10)
def test_a_test_sees_the_message_the_reply_and_what_was_sent(handled: HandledMessage, tmp_path: Path) -> None:
    assert tmp_path.exists()
    assert handled.reply == {"double": 2 * handled.message["count"]}
    assert [sent.data for sent in handled.sent] == [handled.message["count"]]
    seen.append(handled.message["count"])


def test_the_edges_were_among_them() -> None:
    assert {0, 1_000} <= set(seen)


@given_messages(doubler(), examples=5, type="item")
def test_a_test_without_parameters_runs_the_handlers_alone() -> None: ...


def test_a_handler_that_fails_fails_the_test_with_the_smallest_message() -> None:
    @given_messages(doubler(at=321))
    def check() -> None: ...

    with pytest.raises(HandlerFailed, match="too large") as failed:
        check()
    assert failed.value.defect.message == {"count": 321}


def test_a_test_that_fails_itself_fails() -> None:
    @given_messages(doubler())
    def check(handled: HandledMessage) -> None:
        assert handled.reply["double"] < 1_500

    with pytest.raises(AssertionError):
        check()


def test_fixtures_alone_are_left_to_pytest() -> None:
    @given_messages(doubler())
    def check(handled: HandledMessage, tmp_path: Path) -> None: ...

    assert list(inspect.signature(check).parameters) == ["tmp_path"]


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        (doubler(), lambda message: 0 <= message["count"] <= 1_000),
        (Item, lambda message: 0 <= message["count"] <= 1_000),
        (
            {"type": "array", "items": {"pattern": "^[ab]{2}$", "type": "string"}},
            lambda message: all(text in ("aa", "ab", "ba", "bb") for text in message),
        ),
    ],
)
def test_messages_are_drawn_for_modules_types_and_schemas(shape: Any, fits: Callable[[Any], bool]) -> None:
    @hypothesis.settings(max_examples=20, database=None)
    @hypothesis.given(messages(shape))
    def check(message: Any) -> None:
        assert fits(message)

    check()
