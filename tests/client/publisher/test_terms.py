"""What a publisher makes of the changes of the registry, and of a registry that does not answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_comm.client.publisher.terms import UNANSWERED_S, Terms
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.registry import changes
from claude_comm.registry.changes import Kind, RegistryChange


def played(terms: Terms, reply: Any) -> list[tuple[str, str, str]]:
    """What is negotiated again, where the registry answers so."""
    looking = terms.looking()
    next(looking)
    try:
        if isinstance(reply, Exception):
            looking.throw(reply)
        looking.send(reply)
    except StopIteration as end:
        found: list[tuple[str, str, str]] = end.value
        return found
    raise AssertionError("it asks once")


def news(kind: Kind, module: str, **more: Any) -> Any:
    text = changes.encode(RegistryChange(kind=kind, module=module, **more))
    return {b"changes": [[b"1-1", [b"c", text]]]}


def test_only_what_concerns_an_agreement_is_negotiated_again() -> None:
    terms = Terms(Keys("n"), "src")
    terms.agree("sink", "item", int)
    terms.agree("topic:prices", "price", int)
    assert played(terms, news("registered", "sink", version="2.0.0")) == [("sink", "item", "sink 2.0.0 registered")]
    assert played(terms, news("registered", "other")) == []
    assert played(terms, news("agreed", "sink")) == []
    assert played(terms, news("agreed", "sink", partner="other", type="item")) == []
    assert played(terms, news("refused", "sink", partner="src", type="item")) == []
    assert [due[:2] for due in played(terms, news("agreed", "sink", partner="src", type="item"))] == [("sink", "item")]
    assert [one[0] for one in played(terms, news("joined", "reader", topics=["prices"]))] == ["topic:prices"]
    assert played(terms, None) == []


def test_a_registry_that_does_not_answer_is_left_alone_and_then_asked_for_everything() -> None:
    terms = Terms(Keys("n"), "src")
    terms.agree("sink", "item", int)
    begun = time.monotonic()
    assert played(terms, ServerUnreachable("url", "away")) == []
    assert terms.look_at >= begun + UNANSWERED_S
    assert played(terms, None) == [("sink", "item", "everything may have changed")]


@pytest.mark.parametrize("many", [499, 500])
def test_more_changes_than_one_look_takes_may_hide_some(many: int) -> None:
    terms = Terms(Keys("n"), "src")
    terms.agree("sink", "item", int)
    text = changes.encode(RegistryChange(kind="agreed", module="other"))
    rows = [[b"%d-1" % number, [b"c", text]] for number in range(1, many + 1)]
    assert bool(played(terms, {b"changes": rows})) is (many == 500)
