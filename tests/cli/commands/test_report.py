"""`report` on real messages, in each of its forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_comm import Publisher
from claude_comm.cli.durations import seconds
from claude_comm.client.consumer.consumer import Consumer
from claude_comm.settings import Settings


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def spoken(settings: Settings) -> None:
    """Two messages of session s1 from `a` to `b`, one handled and one that failed; one of no session."""
    with Publisher("a", settings=settings) as publisher, Consumer("b", settings=settings, batch=1) as consumer:
        publisher.publish_many("b", [0, 1], session="s1")
        publisher.publish("b", 2)
        (first,) = consumer.read(wait_s=5)
        consumer.ack(first)
        (second,) = consumer.read(wait_s=5)
        consumer.fail(second, "<b>no</b>")


@pytest.mark.usefixtures("spoken")
def test_a_session_is_reported_as_a_page_as_markdown_and_as_json(run: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    told = run("report", "--session", "s1", "-o", str(page))
    assert (told.code, told.out) == (0, "")
    assert "2 messages" in told.err
    text = page.read_text(encoding="utf-8")
    assert "<h1>Report of session s1</h1>" in text
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert "<b>no</b>" not in text

    markdown = run("report", "--session", "s1", "--format", "md", "--rows", "5").out
    assert "- handled 1, pending 0, buried 1" in markdown
    assert "## Messages" in markdown

    figures = run("report", "--since", "1h", "--format", "json").json
    assert (figures["subject"], figures["summary"]["messages"]) == ("the last 1h", 3)
    assert figures["summary"]["buried"] == 1
    assert [hop["messages"] for hop in figures["hops"]] == [3]


def test_a_session_that_nobody_knows_is_not_found(run: Any) -> None:
    told = run("report", "--session", "nobody")
    assert told.code == 3
    assert "nobody" in told.err


def test_a_file_that_cannot_be_written_is_one_sentence(run: Any, tmp_path: Path) -> None:
    told = run("report", "-o", str(tmp_path / "no" / "report.html"))
    assert told.code == 1
    assert "cannot be written: No such file or directory" in told.err


@pytest.mark.parametrize("words", [("--since", "soon"), ("--since", "1h", "--session", "s")])
def test_what_was_mistyped_is_said(run: Any, words: tuple[str, ...]) -> None:
    assert run("report", *words).code == 2


def test_lengths_of_time() -> None:
    assert [seconds(text) for text in ("90", "90s", "15m", "15min", "1.5h", "7d", "2w")] == [
        90, 90, 900, 900, 5_400, 604_800, 1_209_600,
    ]  # fmt: skip
