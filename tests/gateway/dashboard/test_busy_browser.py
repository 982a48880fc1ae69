"""The dashboard over ten modules under load, behind the gateway, in Chromium: every act by keyboard, nothing serious
for axe-core at any width in either theme, no error in the console, and a main thread that stays free."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm.client.identity import micros
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.dashboard.pages import PAGES
from claude_comm.names import Keys
from claude_comm.ops import dead, registration, registry
from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.busy_system import LONG, busy
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.waiting import PATIENCE_S, wait_until

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")]
AXE = Path(os.environ.get("AXE_CORE", ""))
WIDTHS = {"phone": (390, 844), "laptop": (1366, 768), "wide": (1920, 1080)}
PATHS = [
    *(page.path for page in PAGES if "{" not in page.path),
    "/ui/contracts/orders", f"/ui/contracts/{LONG}", "/ui/what-if?module=orders", "/ui/send?target=orders",
    "/ui/dead?check=1", "/ui/dead/orders", "/ui/messages?failed=1", "/ui/sessions/day%200",
    "/ui/topology?around=orders", "/ui/nowhere",
]  # fmt: skip
# The longest task of the page's main thread in milliseconds of processor time, so that nothing else on the machine
# counts: a page that froze would be far above.
FROZEN_MS = 500


@pytest.fixture(scope="module")
def served(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    url = f"unix://{private_server.socket_path(shared_home)}"
    settings = Settings(home=tmp_path_factory.mktemp("busy"), url=url, namespace="dashbusy")
    options = GatewaySettings(port=0, grants={"ops": ("admin",)})
    with busy(settings, per_s=40), serving_gateway(settings, options) as gateway, connect(settings) as client:
        _held_version(settings)
        wait_until(lambda: client.run(dead.lengths(Keys(settings.namespace))).get("orders", 0) >= 2)
        yield gateway


def _held_version(settings: Settings) -> None:
    """A version of `orders` that would break the shops: it waits for them."""
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        standing = client.run(registry.standing(keys, "orders", now_ms=micros() // 1000))
        assert standing is not None
        assert standing.current is not None
        (contract,) = client.run(registry.contracts_of(keys, [("orders", standing.current.digest)])).values()
        order = {**contract.accepts["order"], "required": ["number", "customer", "vat"]}
        order["properties"] = {**order["properties"], "vat": {"type": "string"}}
        held = msgspec.structs.replace(contract, version="2.0.0", accepts={"order": order}, registered_us=micros())
        assert client.run(registration.register(keys, held, hold=True)).release.state == "pending"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return token_of(served.gateway.settings, "ops", service=True)


def logged_in(chromium: Any, served: Served, token: str, **options: Any) -> tuple[Any, list[str]]:
    """A page after its login, by keyboard, and the complaints of its console."""
    context = chromium.new_context(**options)
    page, complaints = context.new_page(), []
    page.set_default_timeout(PATIENCE_S * 1000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served.address}/ui/messages?failed=1")
    page.wait_for_selector("#token:focus")  # the page gives it some time after it is loaded
    page.keyboard.type(token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/messages?failed=1")
    return page, complaints


def tab_to(page: Any, words: str, presses: int = 150, key: str = "Tab") -> None:
    """Presses Tab, from the beginning of what the page shows, until the focus is on what says that: a link, a button, a
    summary, or a field with this label."""
    script = """() => { const at = document.activeElement;
      if (!at.matches("a, button, summary, input, select, textarea")) return "";
      const labels = [...(at.labels ?? [])];
      const said = [at.textContent, at.getAttribute("aria-label"), ...labels.map((label) => label.textContent)];
      return said.join(" | "); }"""
    page.evaluate("document.getElementById('main').focus()")
    for _ in range(presses):
        page.keyboard.press(key)
        if words in str(page.evaluate(script)):
            return
    pytest.fail(f"no Tab leads to {words!r} on {page.url}")


def press(page: Any, words: str, key: str = "Enter") -> None:
    tab_to(page, words)
    page.keyboard.press(key)


def test_everything_is_done_by_keyboard_alone(served: Served, chromium: Any, token: str) -> None:
    page, complaints = logged_in(chromium, served, token)
    page.goto(f"{served.address}/ui/messages")  # filters
    tab_to(page, "Place in the payload")
    page.keyboard.type("$.number = 97")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Searched")
    page.goto(f"{served.address}/ui/send?target=orders&type=order")
    tab_to(page, "customer")
    page.keyboard.type("Ann")
    press(page, "Send it")
    page.wait_for_selector("text=Sent:")
    page.goto(f"{served.address}/ui/what-if?module=orders")
    press(page, "Who breaks?")
    page.wait_for_selector("#answer")
    page.goto(f"{served.address}/ui/dead")
    press(page, "look, put back")
    page.wait_for_selector("text=Dry run")
    press(page, "back")
    page.wait_for_selector("text=put back into the inbox")
    page.goto(f"{served.address}/ui/dead/orders")
    page.wait_for_selector("text=Delete them instead")
    press(page, "Delete them instead")
    press(page, "deleted for good", "Space")
    tab_to(page, "Delete", 200)
    while page.evaluate("document.activeElement.localName") != "button":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/dead?module=orders")
    _versions(served, page)
    assert complaints == []
    tab_to(page, "Log out", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")


def _versions(served: Served, page: Any) -> None:
    """A version that waits for two is approved for the one and the other, and is live after that."""
    page.goto(f"{served.address}/ui/contracts/orders")
    press(page, "show 2.0.0")
    for left in (2, 1):
        page.wait_for_function(f"() => document.querySelectorAll('#partner option').length === {left}")
        tab_to(page, "Approve 2.0.0 for")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Approve"
        page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('main').textContent.includes('waits for')")


@pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE does not name axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_at_any_width(served: Served, chromium: Any, token: str, scheme: str) -> None:
    page, _ = logged_in(chromium, served, token, color_scheme=scheme, bypass_csp=True)
    for path in PATHS:
        page.goto(served.address + path)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for name, (width, height) in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, name)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            worst = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
            assert [(rule["id"], rule["nodes"][0]["html"]) for rule in worst] == [], (path, name)


def test_the_main_thread_stays_free(served: Served, chromium: Any, token: str) -> None:
    page, complaints = logged_in(chromium, served, token)
    chromium.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    for path in ("/", "/ui/messages", "/ui/streams", "/ui/flows", "/ui/topology"):
        page.goto(served.address + path)
        first = page.inner_text("#live-text")
        page.wait_for_function("first => document.getElementById('live-text').textContent !== first", arg=first)
    assert 0 < longest_task_ms(chromium.stop_tracing()) < FROZEN_MS
    assert complaints == []


def longest_task_ms(trace: bytes) -> float:
    """The longest task of a main thread of Chromium's renderers, by processor time; 0 where none is in the trace."""
    events = msgspec.json.decode(trace)["traceEvents"]
    names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}
    renderers = {thread for thread, name in names.items() if name == "CrRendererMain"}
    tasks = (event for event in events if event["name"] == "RunTask" and (event["pid"], event["tid"]) in renderers)
    return max((event.get("tdur", 0) / 1000 for event in tasks), default=0)
