"""A module's key is replaced, and the old one revoked, while messages go their way: none is lost."""

from __future__ import annotations

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.client import keyholders
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops.projection_progress import clock
from claude_comm.runtime import key_files, trusted_keys
from claude_comm.security.checking import SENTENCES
from claude_comm.transport.driver import Client
from tests.support.signed_namespace import signed
from tests.support.waiting import wait_until


def handled(consumer: Consumer) -> list[object]:
    payloads: list[object] = []
    while deliveries := consumer.read(wait_s=0):
        payloads += [delivery.payload() for delivery in deliveries]
        for delivery in deliveries:
            consumer.ack(delivery)
    return payloads


def test_a_key_is_replaced_with_an_overlap_and_the_old_one_revoked_in_the_middle_of_traffic(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted_keys, "RENEW_S", 0.0)
    used, keys = signed(settings, client), Keys(settings.namespace)
    path = key_files.path_of(used.home, "a")
    first = key_files.load(path).signer().key_id.hex()
    with Publisher("a", settings=used) as old, Consumer("b", settings=used) as consumer:
        old.publish("b", "old key")
        assert handled(consumer) == ["old key"]
        key_files.save(path, keyholders.add(client, used, "a", overlap_ms=60_000).pair)
        with Publisher("a", settings=used) as new:
            old.publish("b", "old key, in the overlap")
            new.publish("b", "new key")
            assert handled(consumer) == ["old key, in the overlap", "new key"]
            old.publish("b", "stored before the revocation")
            moment = client.run(clock())
            wait_until(lambda: client.run(clock()) > moment)
            keyholders.revoke(client, used, first)
            old.publish("b", "stored after it")
            new.publish("b", "goes on")
            assert handled(consumer) == ["stored before the revocation", "goes on"]
    ((_, buried),) = client.data.one(Command(("XRANGE", keys.dead("b"), "-", "+")))
    assert SENTENCES["key not valid"].encode() in b" ".join(buried)
