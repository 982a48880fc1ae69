"""An adopted server: its tools take part in a pipeline and in impact, and a changed list is weighed first."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Module, Publisher, RequestFailed, Settings
from claude_comm.client.identity import micros, millis
from claude_comm.client.impact.assessment import ImpactScope, assess
from claude_comm.names import Keys
from claude_comm.ops import registration, registry, replies
from claude_comm.registry.contracts import Contract
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.pipelines import results
from tests.support.waiting import PATIENCE_S, wait_until

pytest.importorskip("mcp")

from claude_comm.mcp_server.adopted import serving
from claude_comm.mcp_server.adopted.listing import adoption
from tests.mcp_server.echo_server import TOOLS

SERVER = Path(__file__).parent.parent / "echo_server.py"
PIPELINE = {
    "pipeline_name": "count",
    "modules": [{"name": "words", "version": ">=1", "type": "count_words", "after": []}],
}


@contextmanager
def adopted(settings: Settings, client: Client, said: list[str]) -> Iterator[None]:
    """The server as the module `words`, on a loop of its own thread."""
    import threading

    loop = asyncio.new_event_loop()
    source = shlex.join([sys.executable, str(SERVER)])
    running = loop.create_task(serving.adopt(settings, "words", source, said.append))

    def run() -> None:
        try:
            loop.run_until_complete(running)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: client.run(replies.responds(Keys(settings.namespace), "words", millis())), what="the module")
        yield
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join(60)
        assert not thread.is_alive()


def asking_for_more(tools: list[Any]) -> list[Any]:
    changed = copy.deepcopy(tools)
    changed[0]["inputSchema"]["properties"]["language"] = {"type": "string"}
    changed[0]["inputSchema"]["required"].append("language")
    return changed


def current(client: Client, settings: Settings) -> Contract | None:
    return client.run(registry.find(Keys(settings.namespace), "words"))


def test_an_adopted_tool_runs_in_a_pipeline_counts_in_impact_and_is_weighed_before_it_changes(
    settings: Settings, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    file = tmp_path / "tools.json"
    monkeypatch.setenv("ECHO_TOOLS", str(file))
    monkeypatch.setattr(serving, "LOOK_S", 0.1)
    keys = Keys(settings.namespace)
    writer = Module("writer", settings=settings)
    writer.produces("count_words", TOOLS[0]["inputSchema"], target="words")
    client.run(registration.register(keys, writer.contract()))
    with adopted(settings, client, said), Publisher("writer", settings=settings) as publisher:
        assert publisher.request("words", {"text": "to be or"}, type="count_words", timeout_s=60) == {"words": 3}
        shouted = publisher.request("words", {"text": "hi"}, type="shout", timeout_s=60)
        assert shouted == {"mcp": "answer", "content": [{"type": "text", "text": "HI"}]}
        with pytest.raises(RequestFailed, match="it is told to fail"):
            publisher.request("words", {"text": "fail"}, type="shout", timeout_s=60)
        with pytest.raises(RequestFailed) as refused:
            publisher.request("words", {"text": 1}, type="shout", timeout_s=60)
        assert refused.value.path == "$.text"
        assert [result.result for result in results(client, settings, PIPELINE, [{"text": "a b"}])] == [{"words": 2}]

        publisher.negotiate("words", TOOLS[0]["inputSchema"], type="count_words")
        changed = asking_for_more(TOOLS)
        new = adoption("words", changed, version="2.0.0").contract
        with open_database(settings.database) as database:
            impact = assess(client, database, settings, new, ImpactScope())
        assert impact.status == "broken"
        assert any(effect.partner == "writer" for effect in impact.effects)

        file.write_text(json.dumps(changed))
        wait_until(lambda: any("breaks writer" in words for words in said), what="the warning")
        standing = current(client, settings)
        assert standing is not None
        assert standing.version == "1.0.0"
        assert publisher.request("words", {"text": "still here"}, type="count_words", timeout_s=60) == {"words": 2}
        client.run(registration.approve(keys, "words", "2.0.0", "writer", now_us=micros()))
        wait_until(lambda: (now := current(client, settings)) is not None and now.version == "2.0.0", what="2.0.0")


def serve_words(environ: dict[str, str], waits: Path) -> subprocess.Popen[bytes]:
    """The command, whose words go to the file `said` beside `waits`."""
    source = shlex.join([sys.executable, str(SERVER)])
    command = [sys.executable, "-m", "claude_comm", "mcp", "adopt", source, "--as", "words"]
    with waits.with_name("said").open("wb") as said:
        return subprocess.Popen(command, env={**os.environ, **environ, "ECHO_WAITS": str(waits)}, stderr=said)


@pytest.mark.long
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_call_under_way_end(
    settings: Settings, client: Client, environ: dict[str, str], tmp_path: Path, asked: signal.Signals
) -> None:
    waits, keys = tmp_path / "waits", Keys(settings.namespace)
    process = serve_words(environ, waits)
    with Publisher("writer", settings=settings) as publisher, ThreadPoolExecutor(1) as pool:
        try:
            wait_until(lambda: client.run(replies.responds(keys, "words", millis())), what="the module")
            reply = pool.submit(publisher.request, "words", {"text": "wait"}, type="shout", timeout_s=60)
            wait_until(waits.exists, what="the call")
            process.send_signal(asked)
            wait_until(lambda: "under way" in (tmp_path / "said").read_text(), what="the drain")
            assert process.poll() is None
            waits.unlink()
            assert reply.result(60)["content"] == [{"type": "text", "text": "WAIT"}]
            assert process.wait(60) == 0
        finally:
            waits.unlink(missing_ok=True)
            process.kill()
            process.wait()


@pytest.mark.long
def test_calls_wait_for_a_server_that_ended_and_what_it_was_at_is_not_done_twice(
    settings: Settings, client: Client, environ: dict[str, str], tmp_path: Path
) -> None:
    waits, keys = tmp_path / "waits", Keys(settings.namespace)
    process = serve_words(environ, waits)
    with Publisher("writer", settings=settings) as publisher, ThreadPoolExecutor(4) as pool:
        try:
            wait_until(lambda: client.run(replies.responds(keys, "words", millis())), what="the module")
            under_way = pool.submit(publisher.request, "words", {"text": "wait"}, type="shout", timeout_s=60)
            wait_until(waits.exists, what="the call")
            os.kill(int(waits.read_text()), signal.SIGKILL)
            with pytest.raises(RequestFailed, match="may have done its work or not"):
                under_way.result(60)
            waits.unlink()
            later = [
                pool.submit(publisher.request, "words", {"text": str(number)}, type="shout", timeout_s=60)
                for number in range(8)
            ]
            assert [reply.result(60)["content"][0]["text"] for reply in later] == [str(number) for number in range(8)]
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("https://me:secret@tools.example/mcp?key=secret", "tools.example/mcp"),
        ("npx server --api-key secret", "npx"),
        ("'/opt/my tools/serve' secret", "/opt/my tools/serve"),
    ],
)
def test_a_log_names_a_server_without_its_secrets(source: str, named: str) -> None:
    assert named in serving.shown(source)
    assert "secret" not in serving.shown(source)


def test_an_adopted_program_is_not_given_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_URL", "redis://:planted-secret@127.0.0.1:1")
    monkeypatch.setenv("FORGE_TOKEN", "its own")
    environment = serving.server_of("words --quick").env
    assert environment["FORGE_TOKEN"] == "its own"
    assert not [name for name in environment if name.startswith("CLAUDE_COMM_")]


class Torn:
    """A client whose server goes as it is closed: the task group within raises that, whatever else is raised."""

    async def __aenter__(self) -> Torn:
        return self

    async def __aexit__(self, *_: object) -> None:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [OSError("gone")])


def test_it_ends_when_cancelled_though_the_server_goes_at_that_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        begun = asyncio.Event()

        async def run(_self: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(serving, "Client", lambda *_, **__: Torn())
        monkeypatch.setattr(serving._Adopted, "run", run)
        adopting = asyncio.create_task(serving.adopt(settings, "words", "words", print))
        await begun.wait()
        adopting.cancel()
        done, _ = await asyncio.wait([adopting], timeout=PATIENCE_S)
        assert done
        assert adopting.cancelled()

    asyncio.run(scenario())


def test_a_cancellation_while_the_module_ends_is_raised_once_it_has() -> None:
    async def scenario() -> None:
        may_end = asyncio.Event()

        async def module() -> int:
            await may_end.wait()
            return 0

        running = asyncio.create_task(module())
        waiting = asyncio.create_task(serving._ended(running))
        await asyncio.sleep(0)
        waiting.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        may_end.set()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert running.done()

    asyncio.run(scenario())
