"""A heartbeat: sent when it is due, logged once while it cannot be, taken back at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_comm.effects import Operation
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import heartbeats
from claude_comm.runtime.heartbeat import Heartbeat, beating
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until


def alive(client: Client, keys: Keys) -> list[str]:
    return client.run(heartbeats.workers_alive(keys, "janitor", now_ms=1))


def test_a_member_lives_while_the_block_lasts(client: Client, settings: Settings) -> None:
    keys, log = Keys(settings.namespace), get_logger("warning")
    with beating(Heartbeat(client.run, keys.workers, "janitor/one", log), log):
        wait_until(lambda: alive(client, keys) == ["janitor/one"], what="the heartbeat")
    assert alive(client, keys) == []


def test_what_cannot_be_sent_is_logged_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("claude_comm.runtime.heartbeat.HEARTBEAT_MS", 0)
    reachable, sent = False, 0

    def run(operation: Operation[Any]) -> None:
        nonlocal sent
        operation.close()
        if not reachable:
            raise ServerUnreachable("nowhere", "no")
        sent += 1

    heartbeat = Heartbeat(run, "k", "a/b", get_logger("warning"))
    for _ in range(3):
        heartbeat.beat_if_due()
    reachable = True
    heartbeat.beat_if_due()
    reachable = False
    heartbeat.beat_if_due()
    assert sent == 1
    logged = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert logged == ["heartbeat.failed"] * 2


def test_it_is_not_sent_before_it_is_due() -> None:
    sent: list[Operation[Any]] = []
    heartbeat = Heartbeat(sent.append, "k", "a/b", get_logger("warning"))
    for _ in range(3):
        heartbeat.beat_if_due()
    assert len(sent) == 1
