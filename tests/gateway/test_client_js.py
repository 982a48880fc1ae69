"""The client for browsers and Node, in a headless Chromium and in Node, with a module in Python on the other side."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm import Module
from claude_comm.gateway.app import STATIC
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.settings import Settings
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.homes import child_environ
from tests.support.modules import Page, answering
from tests.support.waiting import PATIENCE_S

# Publishes, asks, follows a topic over a lost connection, answers a request, and meets a refusal.
SCENARIO = """
const connection = await connect(url, { token, retryMs: 20 });
const reply = await connection.request({ target: "doubler", type: "page", data: { number: 21 } }, 60);
let refusal;
try {
  await connection.publish({ target: "doubler", type: "page", data: { number: "one" } });
} catch (error) {
  refusal = { path: error.path, witness: error.witness, code: error.code };
}
const seen = new Set();
let enough, cut = false;
const all = new Promise((resolve) => (enough = resolve));
await connection.subscribe({ topic: "news", start: "oldest" }, (message) => {
  seen.add(message.data);
  if (seen.size === 3 && !cut) {
    cut = true;
    connection._socket.close();
  }
  if (seen.size === 6) enough();
});
for (let number = 0; number < 6; ) {
  try {
    await connection.publish({ target: "topic:news", data: number });
    number++;
  } catch (error) {
    if (error.status) throw error; // else the connection was lost, and it may not have been sent
  }
}
await all;
await connection.subscribe({ inbox: "web", name: "main" }, (message) => ({ echo: message.data }));
const echo = await connection.request({ target: "web", data: "hello" }, 60);
connection.close();
const result = { reply, refusal, seen: [...seen], echo };
"""
EXPECTED = {
    "reply": 42,
    "refusal": {"path": "$.number", "witness": "one", "code": "contract_broken"},
    "seen": [0, 1, 2, 3, 4, 5],
    "echo": {"echo": "hello"},
}


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    module = Module("doubler", settings=settings)

    @module.handles("page")
    def double(page: Page) -> int:
        return page.number * 2

    options = GatewaySettings(port=0, grants={"web": ("read:topic:news", "send:*")})
    with answering(module), serving_gateway(settings, options) as gateway:
        yield gateway


def test_in_node(settings: Settings, served: Served, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    (tmp_path / "client.mjs").write_text((STATIC / "client.js").read_text(encoding="utf-8"), encoding="utf-8")
    given = f"const url = {json.dumps(served.address)}, token = {json.dumps(token_of(settings, 'web'))};"
    program = f'import {{ connect }} from "./client.mjs";\n{given}\n{SCENARIO}\nconsole.log(JSON.stringify(result));'
    (tmp_path / "program.mjs").write_text(program, encoding="utf-8")
    command = [node, "--experimental-websocket", "--no-warnings", str(tmp_path / "program.mjs")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=child_environ(), check=False)
    assert json.loads(ran.stdout or "null") == EXPECTED, ran.stderr


def test_in_a_browser(settings: Settings, served: Served) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    token = token_of(settings, "web")
    body = f"""async ([url, token]) => {{
      const {{ connect }} = await import("/static/client.js");
      {SCENARIO}
      return result;
    }}"""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(served.address + "/login")
        assert page.evaluate(body, [served.address, token]) == EXPECTED
        browser.close()
