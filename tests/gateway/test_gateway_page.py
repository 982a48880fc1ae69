"""The `curl` lines of docs/gateway.md, typed as they stand there: at the port of the test, and with its token."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from claude_comm import Module, Publisher
from claude_comm.gateway.core.options import DEFAULT_PORT, GatewaySettings
from claude_comm.settings import Settings
from tests.support.gateways import serving_gateway, token_of
from tests.support.homes import child_environ
from tests.support.modules import Page, answering, running
from tests.support.pages import blocks
from tests.support.waiting import PATIENCE_S

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
# What a stranger has typed before: the module of the page, and the scope that the page says a feed takes.
GRANT = re.search(r"--grant ([a-z]+)=([a-z:]+)`", PAGE.read_text(encoding="utf-8"))


def lines() -> list[str]:
    """Every `curl` command of the page."""
    typed = [
        block.text.replace("\\\n", "") for block in blocks(PAGE.read_text(encoding="utf-8")) if block.language == "sh"
    ]
    return [line for text in typed for line in text.splitlines() if line.startswith("curl")]


@pytest.fixture
def environ(settings: Settings) -> Iterator[dict[str, str]]:
    """Where the lines are typed: `indexer` and `doubler` run, and a gateway."""
    assert GRANT is not None
    indexer, doubler = Module("indexer", settings=settings), Module("doubler", settings=settings)

    @indexer.handles("page")
    def index(page: Page) -> None:
        pass

    @doubler.handles("page")
    def double(page: Page) -> int:
        return page.number * 2

    options = GatewaySettings(port=0, grants={GRANT[1]: (GRANT[2],)})
    with running(indexer), answering(doubler), serving_gateway(settings, options) as served:
        port = str(urlsplit(served.address).port)
        yield child_environ(TOKEN=token_of(settings, "web"), PORT=port)


def typed(line: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    command = line.replace(str(DEFAULT_PORT), environ["PORT"]).replace("curl ", "curl --silent ", 1)
    return subprocess.Popen(["sh", "-c", f"exec {command}"], env=environ, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_every_line_does_what_the_page_says(settings: Settings, environ: dict[str, str]) -> None:
    answers: list[Any] = [
        json.loads(typed(line, environ).communicate(timeout=PATIENCE_S)[0])
        for line in lines()
        if "/v1/feed" not in line
    ]
    *taken, refused = answers
    assert [sorted(answer) for answer in taken] == [["id"], ["id"], ["reply"]]
    assert taken[-1] == {"reply": 42}
    page = PAGE.read_text(encoding="utf-8")
    (shown,) = [json.loads(line) for line in page.splitlines() if line.startswith('{"status": 422')]
    assert {name: refused[name] for name in shown} == shown
    (feed,) = [line for line in lines() if "/v1/feed" in line]
    with typed(feed, environ) as following, Publisher("web", settings=settings) as publisher:
        assert following.stdout is not None
        try:
            assert "event: subscribed\n" in following.stdout
            publisher.publish("topic:news", {"text": "hello"})
            event = next(line for line in following.stdout if line.startswith("data: ") and "hello" in line)
        finally:
            following.terminate()
    assert json.loads(event.removeprefix("data: "))["data"] == {"text": "hello"}
