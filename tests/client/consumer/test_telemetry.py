"""Telemetry levels: what is told of handled messages, and that nothing else depends on it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm import Module, Publisher, RetryPolicy
from claude_comm.errors import ConfigurationError, InvalidName
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.store.records import MessageRow
from claude_comm.transport.driver import Client

MESSAGES = 200


def statuses(settings: Settings, client: Client, level: str) -> list[MessageRow]:
    """A module at that level handles messages, fails one of them once and another for good."""
    settings = msgspec.structs.replace(settings, telemetry=level)
    retry = RetryPolicy(attempts=2, first_wait_s=0.01, jitter=0)
    module, seen = Module("reader", settings=settings, retry=retry), []

    @module.handles("message")
    def handle(n: int, context: Any) -> None:
        seen.append(n)
        if n == -1 or (n == -2 and seen.count(-2) == 1):
            raise ValueError("no")
        if set(range(MESSAGES)) | {-1, -2} <= set(seen) and seen.count(-1) == seen.count(-2) == 2:
            context.stop()

    with Publisher("writer", settings=settings) as writer:
        writer.publish_many("reader", [-1, -2, *range(MESSAGES)])
        module.run()
    keys = Keys(settings.namespace)
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
        return queries.messages(database)


def test_failures_are_told_at_every_level(settings: Settings, client: Client) -> None:
    rows = statuses(settings, client, "off")
    by_payload = {row.payload(): row.status for row in rows}
    assert (by_payload[-1], by_payload[-2]) == ("failed", "handled")
    assert {by_payload[n] for n in range(MESSAGES)} == {"sent"}


def test_a_sample_is_told_by_the_ids_of_its_messages(settings: Settings, client: Client) -> None:
    rows = [row for row in statuses(settings, client, "full,reader=sampled") if row.payload() >= 0]
    assert {row.id for row in rows if row.status == "handled"} == {row.id for row in rows if row.id.endswith("0")}
    assert len(rows) == MESSAGES


def test_a_level_for_another_module_changes_nothing(settings: Settings, client: Client) -> None:
    rows = [row for row in statuses(settings, client, "full, other=off") if row.payload() >= 0]
    assert {row.status for row in rows} == {"handled"}


@pytest.mark.parametrize("wrong", ["", "loud", "reader=", "reader=loud", "full;off", "full,"])
def test_a_level_that_there_is_not_is_refused(settings: Settings, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="full, sampled, off"):
        msgspec.structs.replace(settings, telemetry=wrong)
    with pytest.raises(InvalidName):
        msgspec.structs.replace(settings, telemetry="a b=off")
