"""The dashboard in Chromium: nothing of others runs, everything works by keyboard and without script, and it stays up
to date without getting in the way."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from claude_comm import Publisher, Settings
from claude_comm.gateway.dashboard.pages import PAGES
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.runtime import private_server
from tests.support.dashboard import TOKEN, dashboard, populated
from tests.support.waiting import wait_until

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
# A browser for each: in the long run. What the pages show is tried without one beside this.
pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")]

AXE = Path(os.environ.get("AXE_CORE", ""))
PATHS = [
    *(page.path for page in PAGES if "{" not in page.path),
    "/ui/contracts/shop", "/ui/what-if?module=shop", "/ui/send?target=shop", "/ui/dead?check=1", "/ui/dead/shop",
    "/ui/messages?failed=1", "/ui/sessions/sales", "/ui/topology?around=shop",
]  # fmt: skip


@pytest.fixture(scope="module")
def address(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard over a populated system, on a port of its own."""
    url = f"unix://{private_server.socket_path(shared_home)}"
    settings = Settings(home=tmp_path_factory.mktemp("home"), url=url, namespace="dashbrowser")
    app, source = dashboard(settings, lambda _request: Visitor("ann", True, TOKEN))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    with populated(settings):
        thread.start()
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()
    source.close()


@pytest.fixture(scope="module")
def settings_of(address: str, shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    url = f"unix://{private_server.socket_path(shared_home)}"
    return Settings(home=tmp_path_factory.mktemp("sender"), url=url, namespace="dashbrowser")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page whose complaints are collected; there must be none at the end."""
    context = chromium.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert complaints == []
    context.close()


def focused(page: Any) -> str:
    """The words of the link or button that has the focus."""
    script = (
        "() => document.activeElement.matches('a, button, summary') ? document.activeElement.textContent.trim() : ''"
    )
    return str(page.evaluate(script))


def tab_to(page: Any, words: str, presses: int = 80) -> None:
    """Presses Tab until the focus is on what says that."""
    for _ in range(presses):
        page.keyboard.press("Tab")
        if words in focused(page):
            return
    pytest.fail(f"no Tab leads to {words!r}")


def test_nothing_of_others_runs_and_nothing_is_wider_than_a_phone(address: str, page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PATHS:
        page.goto(address + path)
        assert page.evaluate("window.owned") is None, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto(address + "/ui/messages?failed=1")
    page.click("tbody td a")
    assert "<script>window.owned=1</script>" in page.inner_text("#payload-text")
    assert page.evaluate("window.owned") is None


def test_a_buried_message_is_put_back_by_keyboard_alone(address: str, page: Any) -> None:
    page.goto(address + "/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find-message"
    page.goto(address + "/ui/dead")
    tab_to(page, "look, put back")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Dry run")
    tab_to(page, "Put 1 message back")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=1 message put back into the inbox")


def test_it_works_without_script(address: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + "/")
    page.click("text=Who talks to whom?")
    assert "proved" in page.inner_text("main")
    page.goto(address + "/ui/messages")
    page.fill("#where", "$.number = 3")
    page.click("button.primary")
    assert "Searched" in page.inner_text("#coverage")
    context.close()


def test_a_page_stays_up_to_date_and_leaves_alone_what_a_person_does(
    address: str, settings_of: Settings, page: Any
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    page.goto(address + "/ui/messages")
    page.focus("nav.side a[aria-current]")
    first = page.get_attribute("tbody tr", "id")
    with Publisher("late", settings=settings_of) as publisher:
        publisher.publish("nobody", {"late": True})
    page.wait_for_function("first => document.querySelector('tbody tr').id !== first", arg=first)
    assert page.evaluate("document.activeElement.textContent") == "Messages"
    page.click("#pause")
    paused = len(asked)
    page.wait_for_timeout(1_200)
    assert len(asked) <= paused + 1, "one may have been under way"
    page.click("#pause")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    hidden = len(asked)
    page.wait_for_timeout(1_200)
    assert len(asked) <= hidden + 1


def test_what_moves_to_another_place_keeps_the_focus(address: str, page: Any) -> None:
    page.goto(address + "/ui/messages")
    script = """async () => {
      const { morph } = await import("/static/morph.js");
      const list = (...ids) => {
        const made = document.createElement("div");
        made.innerHTML = ids.map((id) => `<p id="row-${id}"><button>${id}</button></p>`).join("");
        return made;
      };
      const shown = document.body.appendChild(list(1, 2, 3));
      shown.lastChild.firstChild.focus();
      morph(shown, list(3, 1, 2));
      return [shown.textContent, document.activeElement.textContent];
    }"""
    assert page.evaluate(script) == ["312", "3"]


def test_what_a_person_writes_is_not_taken_from_them(address: str, page: Any) -> None:
    page.goto(address + "/ui/messages")
    page.fill("#source", "we")
    page.wait_for_function("() => document.getElementById('live-text').textContent.includes('while you write')")
    assert page.input_value("#source") == "we"


@pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE does not name axe.min.js of the npm package axe-core")
@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(address: str, chromium: Any, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    for path in PATHS:
        page.goto(address + path)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        worst = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in worst] == [], path
    context.close()
