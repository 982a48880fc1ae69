"""Failures on purpose: after each of them every message is handled, and none is lost."""

from __future__ import annotations

import textwrap
import threading
from pathlib import Path

import pytest

from claude_comm import Module, ServerUnreachable
from claude_comm.effects import Command
from claude_comm.testing import Bus, Chaos, RunningModule

COUNTER = """
    import os
    from claude_comm import Module

    module = Module("counter", lease_s=1.0)

    @module.handles("count")
    def count(number: int) -> None:
        with open("seen", "a") as seen:
            seen.write(f"{os.getpid()} {number}\\n")
"""


def handled(folder: Path) -> list[tuple[int, int]]:
    """The process and the number of each message that was handled."""
    file = folder / "seen"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), int(number)) for pid, number in (line.split() for line in lines)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "counter.py").write_text(textwrap.dedent(COUNTER))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_process_that_is_killed_is_followed_by_another(chaos: Chaos, folder: Path) -> None:
    first = chaos.process("counter.py:module")
    chaos.bus.send("counter", 1, type="count")
    chaos.bus.wait(lambda: handled(folder), bool, what="the first message to be handled")
    first.kill()
    first.wait()
    chaos.bus.send("counter", 2, type="count")
    second = chaos.process("counter.py:module")
    rows = chaos.bus.wait(lambda: handled(folder), lambda seen: seen[-1][1] == 2, what="the second message")
    assert (second.pid, 2) in rows


def test_a_server_that_is_killed_has_kept_what_was_sent(chaos: Chaos) -> None:
    chaos.bus.send("counter", 1, type="count")
    chaos.kill_server()
    with pytest.raises(ServerUnreachable):
        chaos.bus.send("counter", 2, type="count")
    chaos.start_server()
    chaos.bus.send("counter", 3, type="count")
    assert [envelope.payload() for envelope in chaos.bus.messages()][-1] == 3


def test_a_module_goes_on_after_its_link_was_cut(chaos: Chaos) -> None:
    seen: list[int] = []
    module = Module("counter", settings=chaos.bus.settings)

    @module.handles("count")
    def count(number: int) -> None:
        seen.append(number)

    running = RunningModule(chaos.bus, module)
    running.send(1, type="count")
    running.done(1)
    with chaos.cut(), pytest.raises(ServerUnreachable):
        chaos.bus.send("counter", 2, type="count")
    chaos.bus.send("counter", 3, type="count")
    outcomes = running.done(2)
    running.stop()
    assert seen == [1, 3], outcomes


def test_a_frozen_server_delays_and_loses_nothing(chaos: Chaos) -> None:
    sending = threading.Thread(target=chaos.bus.send, args=("counter", 1), kwargs={"type": "count"})
    with chaos.frozen_server():
        sending.start()
        sending.join(0.2)
        assert sending.is_alive(), "nobody answers, so the send waits"
    sending.join()
    assert [envelope.payload() for envelope in chaos.bus.messages()] == [1]


def test_a_delivery_whose_event_was_written_twice_ended_once(comm: Bus) -> None:
    """As after a lost reply: what was written is written again as it was."""
    module = Module("counter", settings=comm.settings)

    @module.handles("count")
    def count(number: int) -> None: ...

    running = RunningModule(comm, module)
    running.send(1, type="count")
    (once,) = running.done(1)
    running.stop()
    stream = comm.keys.events("counter")
    for _id, pairs in comm.client.data.one(Command(("XRANGE", stream, "-", "+"))):
        comm.client.data.one(Command(("XADD", stream, "*", *pairs)))
    assert running.ended() == [once]
