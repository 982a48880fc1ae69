"""The command `request`: the reply as JSON, and an exit code that tells when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm import Consumer, Module, Settings
from tests.support.command_line import Ran
from tests.support.modules import answering


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def oracle(settings: Settings) -> Module:
    module = Module("oracle", settings=settings)

    @module.handles()
    def answer(question: Any) -> dict[str, Any]:
        return {"asked": question, "by": "\x1b[31m"}

    @module.handles("raw")
    def raw(_: Any) -> bytes:
        return b"\xff\xfe"

    return module


def test_the_reply_is_printed_as_json(run: Callable[..., Ran], oracle: Module) -> None:
    with answering(oracle):
        asked = run("request", "oracle", '{"n": 1}', "--timeout", 20)
        assert (asked.code, asked.json) == (0, {"asked": {"n": 1}, "by": "\x1b[31m"})
        assert "\x1b" not in asked.out, "no character of a reply may steer the terminal"
        assert run("request", "oracle", "text", "--json").json == {
            "target": "oracle",
            "reply": {"asked": "text", "by": "\x1b[31m"},
        }
        assert run("request", "oracle", "1", "--type", "raw").json == "//4="


def test_what_the_target_gives_up_on_exits_with_1(run: Callable[..., Ran], oracle: Module) -> None:
    with answering(oracle):
        asked = run("request", "oracle", "1", "--type", "unknown")
    assert (asked.code, asked.out) == (1, "")
    assert "no handler for 'unknown' messages" in asked.err


def test_no_reply_in_time_exits_with_1_and_says_what_to_look_at(run: Callable[..., Ran], settings: Settings) -> None:
    with Consumer("silent", settings=settings) as consumer:
        consumer.read(wait_s=0)
        asked = run("request", "silent", "1", "--timeout", "1.5")
    assert (asked.code, asked.out) == (1, "")
    assert "claude-comm modules" in asked.err


def test_a_module_that_does_not_run_exits_with_3(run: Callable[..., Ran]) -> None:
    asked = run("request", "nobody", "1", "--timeout", "0.2")
    assert (asked.code, asked.out) == (3, "")
    assert "no instance of 'nobody' runs" in asked.err
    assert run("request", "nobody", "1", "--timeout", "0").code == 2
    assert run("request", "no such name", "1").code == 2
