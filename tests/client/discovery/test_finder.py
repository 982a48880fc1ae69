"""Finding partners in a real registry, and being told when they come and go."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_comm import AsyncModuleCommunicator, ConfigurationError, Module, ModuleCommunicator, Settings
from claude_comm.client.discovery.directory import ModuleDirectory
from claude_comm.client.discovery.finder import PartnerChange, PartnerWatch
from claude_comm.client.identity import millis
from claude_comm.discovery.query import Query
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import changes, registration
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.registry.contracts import Produced, contract
from claude_comm.transport.driver import Client
from tests.support.command_line import Ran
from tests.support.modules import Page, running
from tests.support.waiting import PATIENCE_S, wait_until

PAGE = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def marker(settings: Settings, name: str = "marker", **options: object) -> Module:
    module = Module(name, settings=settings, capabilities=["mark"], **options)  # type: ignore[arg-type]

    @module.handles("page")
    def mark(page: Page) -> None:
        pass

    return module


def test_a_running_module_is_found_and_one_that_stopped_is_not(settings: Settings) -> None:
    with ModuleCommunicator("reader", settings=settings) as reader:
        assert reader.find_modules(accepts=Page(1)).found == []
        with running(marker(settings)):
            wait_until(lambda: reader.find_modules(accepts=Page(1)).found != [])
            (found,) = reader.find_modules(accepts={"number": 1, "text": "x"}, capability="mark").found
            assert (found.module, found.instances, found.capabilities) == ("marker", 1, ["mark"])
            assert reader.find_modules(accepts={"number": "one"}).found == []
            assert reader.find_modules(capability="draw").found == []
        assert reader.find_modules(accepts=Page(1)).found == []
        assert [partner.module for partner in reader.find_modules(accepts=Page(1), live=False).found] == ["marker"]


def test_asyncio_finds_the_same(settings: Settings) -> None:
    async def look() -> list[str]:
        async with AsyncModuleCommunicator("reader", settings=settings) as reader:
            partners = await reader.find_modules(fits=contract("reader", produces=[Produced("page", PAGE)]))
            return [partner.module for partner in partners.found]

    assert asyncio.run(look()) == []
    with running(marker(settings)):
        wait_until(lambda: asyncio.run(look()) == ["marker"])


def test_a_query_is_checked(settings: Settings) -> None:
    with ModuleCommunicator("reader", settings=settings) as reader:
        with pytest.raises(ConfigurationError, match="nothing is asked for"):
            reader.find_modules()
        with pytest.raises(ConfigurationError, match="fits"):
            reader.find_modules(fits={"module": "x"})  # type: ignore[arg-type]


def test_a_directory_reads_again_what_changed_and_nothing_else(settings: Settings, client: Client, keys: Keys) -> None:
    for name in ("one", "two"):
        client.run(registration.register(keys, contract(name, accepts={"page": PAGE}), instance="i"))
    directory = ModuleDirectory(keys)
    client.run(directory.refreshing(now_ms=millis()))
    before = directory.catalogue
    client.run(directory.refreshing(now_ms=millis()))
    assert directory.catalogue is before
    client.run(registration.register(keys, contract("two", version="2.0.0", accepts={"page": True}), instance="i"))
    client.run(registration.retire(keys, "one", now_us=millis() * 1000 + 10**9))
    client.run(directory.refreshing(now_ms=millis()))
    live = {directory.catalogue.contracts[digest].version for digest in directory.all(now_ms=millis())}
    assert live == {"1.0.0", "2.0.0"}
    assert {declared.module for declared in directory.catalogue.contracts.values()} == {"two"}


def test_a_directory_that_may_have_missed_changes_reads_everything(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGE", 3)
    directory = ModuleDirectory(keys)
    client.run(directory.refreshing(now_ms=millis()))
    for number in range(8):
        client.run(registration.register(keys, contract(f"m{number}", accepts=PAGE), instance="i"))
    client.run(directory.refreshing(now_ms=millis()))
    assert len(directory.catalogue.contracts) == 8


def test_what_another_program_wrote_is_named_and_not_looked_at(settings: Settings, client: Client, keys: Keys) -> None:
    declared = contract("odd", accepts=PAGE)
    client.run(registration.register(keys, declared, instance="i"))
    client.control.one(Command(("HSET", keys.contracts, declared.digest, b"{}")))
    client.control.one(Command(("HSET", keys.modules, "bad", b"\xff")))
    with ModuleCommunicator("reader", settings=settings) as reader:
        assert reader.find_modules(name="*", live=False).unreadable == ["bad", "odd"]


def kinds(seen: list[PartnerChange]) -> list[tuple[str, str]]:
    return [(change.kind, change.module) for change in seen]


def test_a_watcher_is_told_when_partners_come_and_go(settings: Settings) -> None:
    seen: list[PartnerChange] = []
    reader = ModuleCommunicator("reader", settings=settings)

    def watch() -> None:
        for change in reader.watch_modules(accepts=Page(1)):
            seen.append(change)
            if len(seen) == 4:
                return

    with reader, running(marker(settings)):
        thread = threading.Thread(target=watch)
        thread.start()
        wait_until(lambda: kinds(seen) == [("came", "marker")])
        with running(marker(settings, "second")):
            wait_until(lambda: kinds(seen)[1:] == [("came", "second")])
            with running(Module("other", settings=settings)):
                pass
        wait_until(lambda: kinds(seen)[2:] == [("went", "second")])
        with running(marker(settings, "second")):
            thread.join(PATIENCE_S)
    assert kinds(seen)[3:] == [("came", "second")]


def test_asyncio_is_told_the_same(settings: Settings) -> None:
    async def first() -> PartnerChange:
        async with AsyncModuleCommunicator("reader", settings=settings) as reader:
            async for change in reader.watch_modules(capability="mark"):
                return change
        raise AssertionError

    with running(marker(settings)):
        assert asyncio.run(asyncio.wait_for(first(), PATIENCE_S)).module == "marker"


def test_a_killed_partner_goes_when_its_heartbeats_have_stopped(client: Client, keys: Keys) -> None:
    """No process is asked: it is the silence that says it, which here has lasted nearly long enough."""
    long_ago_us = (millis() - 2 * GONE_MS) * 1000
    declared = contract("marker", accepts={"page": PAGE}, registered_us=long_ago_us)
    client.run(registration.register(keys, declared, instance="i"))
    client.control.one(Command(("ZADD", keys.instances, millis(), "marker/i")))
    watch = PartnerWatch(keys, Query(accepts={"number": 1}))
    client.run(watch.looking(0))
    assert kinds(watch.changes()) == [("came", "marker")]
    client.control.one(Command(("ZADD", keys.instances, millis() - GONE_MS + 500, "marker/i")))
    seen: list[PartnerChange] = []

    def silent() -> bool:
        client.run(watch.looking(0))
        seen.extend(watch.changes())
        return bool(seen)

    wait_until(silent)
    assert kinds(seen) == [("went", "marker")]


def test_the_command_finds_them(
    settings: Settings,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Ran],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    sample, declared = tmp_path / "sample.json", tmp_path / "contract.json"
    sample.write_text('{"number": 1}', encoding="utf-8")
    declared.write_text(
        json.dumps({"module": "reader", "produces": [{"type": "page", "schema": PAGE}]}), encoding="utf-8"
    )
    nobody = run("find", "--accepts", sample)
    assert (nobody.code, nobody.out) == (1, "")
    assert "--all" in nobody.err
    with running(marker(settings)):
        wait_until(lambda: run("find", "--accepts", sample).code == 0)
        table = run("find", "--fits", declared, "--capability", "mark")
        assert table.code == 0
        assert table.out.split()[-6:] == ["marker", "1.0.0", "1", "accepts", "page", "mark"]
        found = json.loads(run("find", "--accepts", sample, "--json").out)["found"]
        assert [(p["module"], p["ways"][0]["type"], p["ways"][0]["answer"]) for p in found] == [
            ("marker", "page", "yes")
        ]
    assert run("find").code == 2


def test_looking_for_nobody_does_not_import_the_engine_of_proofs() -> None:
    code = (
        "import sys, claude_comm; claude_comm.ModuleCommunicator; print('claude_comm.discovery.answer' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
