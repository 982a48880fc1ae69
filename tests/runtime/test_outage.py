"""An outage is said once: when it begins and when it is over, however often it is met."""

from __future__ import annotations

import pytest

from claude_comm.errors import ClaudeCommError, ServerRefused, ServerUnreachable
from claude_comm.runtime import outage
from claude_comm.runtime.outage import Outage


class Lines:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def warning(self, event: str, **facts: object) -> None:
        self.events.append(event)

    info = warning


def said(*errors: ClaudeCommError) -> list[str]:
    """What is logged where each of these is met, and something answered after it."""
    lines = Lines()
    one = Outage(lines)  # type: ignore[arg-type]
    for error in errors:
        one.met(error)
        one.over()
    return lines.events


def test_a_refusal_between_answers_is_said_once() -> None:
    refusal = ServerRefused("WRONGTYPE no stream")
    assert said(refusal, refusal, refusal) == ["server.interrupted", "server.resumed"]


def test_another_refusal_is_said_too() -> None:
    assert len(said(ServerRefused("WRONGTYPE no stream"), ServerRefused("NOPERM no"))) == 4


def test_a_server_that_goes_away_again_is_said_again() -> None:
    away = ServerUnreachable("redis://x", "cut")
    assert len(said(away, away)) == 4


def test_a_refusal_that_lasts_is_said_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(outage.time, "monotonic", lambda: now[0])
    lines = Lines()
    one = Outage(lines)  # type: ignore[arg-type]
    for now[0] in (0.0, 1.0, 59.0, 61.0):
        one.met(ServerRefused("WRONGTYPE no stream"))
        one.over()
    assert lines.events.count("server.interrupted") == 2
