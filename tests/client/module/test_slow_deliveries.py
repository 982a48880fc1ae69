"""Deliveries that take long are told while they do, and those that are given up when they are."""

from __future__ import annotations

import threading
from typing import TypeVar

import msgspec
import pytest

from claude_comm import Module, Settings
from claude_comm.client.module import slow_deliveries
from claude_comm.names import Keys
from claude_comm.progress.events import Cancelled, Delivered, Handled
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import events, publish
from tests.support.waiting import PATIENCE_S, wait_until

E = TypeVar("E")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_deliveries, "SLOW_S", 0.25)


def told(client: Client, settings: Settings, kind: type[E]) -> list[E]:
    return [event for event in events(client, Keys(settings.namespace), "sink") if isinstance(event, kind)]


def sink(settings: Settings, until: threading.Event, **options: float) -> Module:
    module = Module("sink", settings=settings, drain_s=options.get("drain_s", PATIENCE_S))

    @module.handles()
    def handle(payload: object) -> None:
        if payload == "slow":
            until.wait(PATIENCE_S)

    return module


def test_a_slow_delivery_is_told_once_before_its_end(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = threading.Event()
    module = sink(settings, until)
    with monkeypatch.context() as seldom, running(module):
        # What is quick is so on any machine.
        seldom.setattr(slow_deliveries, "SLOW_S", PATIENCE_S)
        publish(settings, "sink", "quick")
        wait_until(lambda: told(client, settings, Handled), what="the quick one")
        seldom.undo()
        assert module._runner is not None
        module._runner.upkeep._slow._look_at = 0.0
        (id_,) = publish(settings, "sink", "slow")
        wait_until(lambda: told(client, settings, Delivered), what="the slow one")
        assert [[row.id for row in event.deliveries] for event in told(client, settings, Delivered)] == [[id_]]
        until.set()
        wait_until(lambda: len(told(client, settings, Handled)) == 2, what="its end")
    assert len(told(client, settings, Delivered)) == 1


def test_nothing_is_told_where_telemetry_is_off(settings: Settings, client: Client) -> None:
    until = threading.Event()
    with running(sink(msgspec.structs.replace(settings, telemetry="off"), until)):
        publish(settings, "sink", "slow")
        threading.Timer(4 * slow_deliveries.SLOW_S, until.set).start()
        until.wait(PATIENCE_S)
    assert told(client, settings, Delivered) == []


def test_what_outlives_the_deadline_of_a_stop_is_told_as_cancelled(settings: Settings, client: Client) -> None:
    until = threading.Event()
    with running(sink(settings, until, drain_s=0.2)):
        (id_,) = publish(settings, "sink", "slow")
        wait_until(lambda: told(client, settings, Delivered), what="the slow one")
    until.set()
    (event,) = told(client, settings, Cancelled)
    assert [row.id for row in event.deliveries] == [id_]
    assert "0.2 s" in event.reason
