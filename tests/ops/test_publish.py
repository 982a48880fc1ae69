"""Messages of an outbox, sent in steps: what is sent next, and what becomes of the rest where the server goes away."""

from __future__ import annotations

import pytest

from claude_comm.effects import Post
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import publish

KEYS = Keys("ns")


def test_what_a_server_has_taken_is_known_though_it_goes_away_between_two_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish, "STEP", 2)
    sending = publish.publish_in_order(KEYS, [Post("a", b"1"), Post("a", b"2"), Post("a", b"3")], ())
    assert [script.args for script in next(sending).scripts] == [(b"1", b"2")]  # type: ignore[union-attr]
    assert [script.args for script in sending.send([[b"1-0", b"2-0"]]).scripts] == [(b"3",)]  # type: ignore[union-attr]
    gone = ServerUnreachable("x", "cut")
    with pytest.raises(StopIteration) as end:
        sending.throw(gone)
    assert end.value.value == [b"1-0", b"2-0", gone]


def test_a_message_that_would_make_a_step_too_large_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "STEP_BYTES", 10)
    posts = [Post("a", b"x" * 4), Post("a", b"x" * 5), Post("b", b"y" * 8)]
    sending = publish.publish_in_order(KEYS, posts, ())
    assert [script.keys for script in next(sending).scripts] == [("a",)]  # type: ignore[union-attr]
    assert [script.keys for script in sending.send([[b"1-0", b"2-0"]]).scripts] == [("b",)]  # type: ignore[union-attr]
    with pytest.raises(StopIteration) as end:
        sending.send([[b"3-0"]])
    assert end.value.value == [b"1-0", b"2-0", b"3-0"]
