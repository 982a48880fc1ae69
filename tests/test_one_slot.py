"""No command touches two hash tags: a server in cluster mode, which refuses those that do, runs the whole path.

It is addressed as a cluster, because that is what says so: a plain address is of a server on which a consumer waits for
all its streams in one command, over several tags. One that is such a server all the same is met by the last test.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import msgspec
import pytest

from claude_comm import Consumer, Module, Publisher, Settings
from claude_comm.client.identity import identify
from claude_comm.client.publisher.negotiate import decide
from claude_comm.delivery.burial import Where
from claude_comm.effects import Command
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Question
from claude_comm.ops import agreements, dead, registry
from claude_comm.progress.events import Lifecycle
from claude_comm.runtime import private_server
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.homes import new_home, remove_home
from tests.support.ports import free_port
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster() -> Iterator[Settings]:
    """A cluster of one master that owns every slot."""
    home = new_home()
    port, bus = free_port(), free_port()
    words = f"--port {port} --cluster-port {bus} --bind 127.0.0.1 --cluster-enabled yes --save  --dir {home}".split(" ")
    process = subprocess.Popen([str(private_server.binary()), *words], stdout=subprocess.DEVNULL)
    settings = Settings(home=home, url=f"redis+cluster://127.0.0.1:{port}", namespace="slots")
    try:
        with connect(plainly(settings)) as client:
            wait_until(lambda: _answers(client), what="the cluster's start")
            client.data.one(Command(("CLUSTER", "ADDSLOTSRANGE", 0, 16383)))
            wait_until(lambda: b"cluster_state:ok" in client.data.one(Command(("CLUSTER", "INFO"))))
        yield settings
    finally:
        process.terminate()
        process.wait()
        remove_home(home)


def plainly(cluster: Settings) -> Settings:
    """The same server, addressed as one that is no cluster."""
    return msgspec.structs.replace(cluster, url=cluster.url.replace("redis+cluster", "redis"))


def _answers(client: Client) -> bool:
    try:
        return bool(client.data.one(Command(("PING",))) == b"PONG")
    except ServerUnreachable:
        return False


def test_such_a_server_refuses_a_command_over_two_tags(cluster: Settings) -> None:
    with connect(plainly(cluster)) as client, pytest.raises(ServerRefused) as caught:
        client.data.one(Command(("MSET", "{a}", 1, "{b}", 2)))
    assert caught.value.code == "CROSSSLOT"


def test_publishing_consuming_burying_and_negotiating_keep_to_one_tag_each(cluster: Settings) -> None:
    keys = Keys(cluster.namespace)
    with connect(cluster) as client:
        with Publisher("source", settings=cluster) as publisher:
            publisher.publish_many("sink", ["a", "b"])
            publisher.publish("topic:news", "c")
        handled = []
        with Consumer("sink", topics=["news"], settings=cluster, lease_s=0.05) as consumer:
            for delivery in consumer.read():
                handled.append(delivery.payload())
                if delivery.payload() == "b":
                    consumer.fail(delivery, "no b today")
                else:
                    consumer.ack(delivery)
            consumer.renew()
        assert sorted(handled) == ["a", "b", "c"]
        question = Question(producer="a", consumer="b", produced=True, accepted=True)
        made = decide(client, keys, question, decided_by="caller")
        assert client.run(agreements.everything(keys)).agreements == [made]


def test_waiting_retrying_burying_and_redriving_keep_to_one_tag_each(cluster: Settings) -> None:
    """Every Lua script names all its keys, and they share a slot."""
    keys = Keys(cluster.namespace)
    with connect(cluster) as client:
        client.data.one(Command(("SCRIPT", "FLUSH")))
        with Publisher("source", settings=cluster) as publisher:
            publisher.publish("later", "a", delay_s=0.05)
            publisher.publish("topic:late", "b", delay_s=0.05)
        ends: list[tuple[str, int]] = []
        with Consumer("later", topics=["late"], settings=cluster) as consumer:

            def handle() -> bool:
                for delivery in consumer.read(wait_s=0.1):
                    ends.append((delivery.payload(), delivery.attempts))
                    if delivery.attempts < 2:
                        consumer.retry(delivery, wait_s=0, reason="not yet")
                    else:
                        consumer.fail(delivery, "no", traceback="Traceback")
                return len(ends) == 4

            wait_until(handle)
            identity = identify("later", cluster)
            assert sorted(ends) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
            assert "later" in client.run(dead.modules(keys))
            event = identity.event(Lifecycle("started", "x"))
            moved = client.run(dead.redrive(keys, "later", Where(), lambda _: event, limit=1, max_bytes=10_000))
            assert moved == 1
            (again,) = consumer.read()
            consumer.ack(again)
        assert client.run(dead.purge(keys, "later", Where(), max_bytes=10_000)) == 1
        assert client.data.one(Command(("EXISTS", keys.later("later"), keys.dead("later")))) == 1


def test_a_module_lives_on_a_cluster(cluster: Settings) -> None:
    module = Module("m", settings=cluster)
    module.on_start(lambda context: context.stop())
    assert module.run() == 0
    with connect(cluster) as client:
        found = client.run(registry.everyone(Keys(cluster.namespace), now_ms=time.time_ns() // 1_000_000))
    assert [registered.module for registered in found.modules] == ["m"]


@pytest.mark.parametrize("prefetch", [1, 10])
def test_a_consumer_of_topics_at_a_plain_address_reads_each_stream_by_itself(cluster: Settings, prefetch: int) -> None:
    """A cluster of one master answers there, and refuses to wait for an inbox and topics at once."""
    settings = plainly(cluster)
    with Consumer("plain", topics=["dull"], settings=settings, prefetch=prefetch) as consumer:
        assert consumer.read(wait_s=0.01) == []
        with Publisher("source", settings=settings) as publisher:
            publisher.publish("plain", "a")
            publisher.publish("topic:dull", "b")
        payloads = []
        while len(payloads) < 2:
            for delivery in consumer.read(wait_s=5.0):
                payloads.append(delivery.payload())
                consumer.ack(delivery)
    assert sorted(payloads) == ["a", "b"]
