"""The page of `examples/browser` in a headless Chromium: it asks, is refused, publishes, goes on after a reload."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S

EXAMPLE = REPOSITORY / "examples" / "browser" / "serve.py"
CHROMIUM = shutil.which("chromium")

pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    """Of the page, which is served as the example's first lines say; ended by Ctrl-C."""
    assert "python examples/browser/serve.py" in EXAMPLE.read_text(encoding="utf-8")
    command = [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLE)]
    environ = child_environ(CLAUDE_COMM_HOME=str(home))
    with (home / "stderr").open("w+") as told:
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=told, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip()
            finally:
                process.send_signal(signal.SIGINT)
                code = process.wait(PATIENCE_S)
        told.seek(0)
        errors = told.read()
    assert code == 0, errors
    assert "Traceback" not in errors


def test_the_page_asks_publishes_follows_and_goes_on_after_a_reload(address: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def shows(name: str, text: str) -> None:
            page.wait_for_function(
                "([id, text]) => document.getElementById(id).textContent.includes(text)", arg=[name, text]
            )

        def ask(number: str) -> None:
            page.fill("[name=number]", number)
            page.click("#question button")

        page.goto(address)
        shows("state", "connected as page")
        ask("21")
        shows("answer", "42")
        ask("many")
        shows("answer", "refused at $.number")
        page.fill("[name=text]", "first")
        page.click("#message button")
        shows("news", "page: first")

        page.reload()
        shows("state", "connected as page")
        page.fill("[name=text]", "second")
        page.click("#message button")
        shows("news", "page: second")
        assert page.locator("#news li").all_text_contents() == ["page: second"]
        assert complaints == []
        browser.close()
