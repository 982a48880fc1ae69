"""A reply that says by its mark that it is for an agent is one, if it is whole; all others are plain data."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.interchange.agent_answers import MARK, Question, agent_answer


def test_a_whole_one_is_read() -> None:
    assert agent_answer({MARK: "question", "requests": {"a": {}}}) == Question({"a": {}})


@pytest.mark.parametrize(
    "reply",
    [None, [], {}, {MARK: 1}, {MARK: "nothing of ours"}, {MARK: "question"}, {MARK: "answer", "content": "no list"}],
)
def test_whatever_else_bears_the_mark_is_plain_data(reply: Any) -> None:
    assert agent_answer(reply) is None
