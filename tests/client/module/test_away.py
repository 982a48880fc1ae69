"""Modules whose server is not there yet, or not any more: they wait, say so once, and go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis

from claude_comm import Module, Publisher, Settings
from claude_comm.runtime import private_server
from tests.support.errors_file import errors_to
from tests.support.modules import running
from tests.support.waiting import wait_until


def test_a_module_that_starts_before_its_server_comes_up_with_it(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home, url=f"unix://{private_server.socket_path(home)}", log_level="info")
    module, handled = Module("sink", settings=settings), threading.Event()

    @module.handles("note", accepts=int)
    def note(_number: int) -> None:
        handled.set()

    with errors_to(tmp_path) as errors, running(module):
        wait_until(lambda: "server.interrupted" in errors.events(), what="a word about the server that is away")
        private_server.ensure(home)
        wait_until(lambda: "module.registered" in errors.events(), what="the module is up")
        with Publisher("a", settings=settings) as publisher:
            publisher.publish("sink", 1, type="note")
        assert handled.wait(120)
    logged = errors.events()
    assert (logged.count("server.interrupted"), logged.count("server.resumed")) == (1, 1)


@pytest.mark.parametrize("state", ["a replica", "full", "with a password"])
def test_a_module_that_starts_before_its_server_serves_comes_up_with_it(home: Path, tmp_path: Path, state: str) -> None:
    settings = Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="info")
    module, handled = Module("sink", settings=settings), threading.Event()

    @module.handles("note", accepts=int)
    def note(_number: int) -> None:
        handled.set()

    with redis.Redis(unix_socket_path=str(private_server.socket_path(home))) as admin:
        begin, end = {
            "a replica": (lambda: admin.replicaof("127.0.0.1", 1), lambda: admin.replicaof("NO", "ONE")),
            "full": (lambda: admin.config_set("maxmemory", 1), lambda: admin.config_set("maxmemory", 0)),
            "with a password": (
                lambda: admin.config_set("requirepass", "secret"),
                lambda: admin.config_set("requirepass", ""),
            ),
        }[state]
        begin()
        with errors_to(tmp_path) as errors, running(module):
            if state == "full":
                wait_until(lambda: "module.registered" in errors.events(), what="it is up: it needs little room")
            else:
                wait_until(lambda: "server.interrupted" in errors.events(), what="a word about the server")
            end()
            with Publisher("a", settings=settings) as publisher:
                publisher.publish("sink", 1, type="note")
            assert handled.wait(120)
    assert errors.events().count("server.interrupted") == (0 if state == "full" else 1)


def test_a_module_that_is_stopped_while_it_waits_for_its_server_ends(home: Path) -> None:
    module = Module("sink", settings=Settings(home=home, url="redis://127.0.0.1:1"))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(module.run()))
    thread.start()
    module.stop()
    thread.join(120)
    assert codes == [0]


def test_a_server_in_another_state_is_told_of_once_and_waited_for(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="info")
    module, handled = Module("sink", settings=settings, lease_s=1.0), threading.Semaphore(0)

    @module.handles("note", accepts=int)
    def note(_number: int) -> None:
        handled.release()

    admin = redis.Redis(unix_socket_path=str(private_server.socket_path(home)))
    with errors_to(tmp_path) as errors, running(module), Publisher("a", settings=settings) as publisher, admin:
        publisher.publish("sink", 1, type="note")
        assert handled.acquire(timeout=120)
        admin.replicaof("127.0.0.1", 1)
        wait_until(lambda: _refused(admin) > 20, what="many refusals")
        admin.replicaof("NO", "ONE")
        publisher.publish("sink", 2, type="note")
        assert handled.acquire(timeout=120)
    logged = errors.events()
    assert logged.count("server.interrupted") == 1
    assert logged.count("heartbeat.failed") <= 1


def _refused(admin: redis.Redis) -> int:
    return int(admin.info("errorstats").get("errorstat_READONLY", {"count": 0})["count"])
