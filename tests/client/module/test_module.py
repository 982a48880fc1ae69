"""Modules: typed handlers, contracts from types, retries, and a graceful end."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest

from claude_comm import Consumer, Context, Module, Publisher, RetryPolicy, Settings
from claude_comm.errors import ConfigurationError, NegotiationRefused, SchemaError
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.transport.driver import Client
from tests.support.modules import Page, collector, running
from tests.support.streams import dead, leases_ms, pending, publish
from tests.support.waiting import PATIENCE_S, wait_until


@dataclasses.dataclass
class Line:
    number: int


class Model(pydantic.BaseModel):
    number: int


@pytest.mark.parametrize("shape", [Page, Line, Model, dict[str, int], Any])
def test_a_handler_gets_the_type_that_its_annotation_names(settings: Settings, shape: Any) -> None:
    module, seen = collector(settings, shape)
    publish(settings, "sink", {"number": 3})
    with running(module):
        wait_until(lambda: bool(seen))
    expected = {"number": 3} if shape in (Any, dict[str, int]) else shape(number=3)
    assert seen == [expected]


@pytest.mark.parametrize("shape", [Page, Line, Model])
def test_the_contract_is_the_types_own_schema(settings: Settings, shape: Any) -> None:
    module, _ = collector(settings, shape)
    text = msgspec.json.encode(module.contract().accepts["message"])
    assert b'"number":{' in text
    assert b'"integer"' in text


@pytest.mark.parametrize("shape", [Page, Line, Model])
def test_a_payload_of_another_shape_is_buried_with_its_place(settings: Settings, client: Client, shape: Any) -> None:
    keys = Keys(settings.namespace)
    module, seen = collector(settings, shape)
    publish(settings, "sink", {"number": "three"}, {"number": 4})
    with running(module):
        wait_until(lambda: bool(seen))
    (buried,) = dead(client, keys, "sink")
    assert b"number" in buried[b"reason"]


def test_a_given_schema_is_enforced_beside_the_annotation(settings: Settings, client: Client) -> None:
    module, seen = Module("sink", settings=settings), []

    @module.handles(accepts={"properties": {"number": {"maximum": 5}}})
    def handle(page: Page) -> None:
        seen.append(page.number)

    publish(settings, "sink", {"number": 9}, {"number": 4})
    with running(module):
        wait_until(lambda: bool(seen))
    assert seen == [4]
    assert dead(client, Keys(settings.namespace), "sink")[0][b"path"] == b"$.number"


def test_a_handler_that_raises_is_tried_again_and_then_buried(settings: Settings, client: Client) -> None:
    keys, tries = Keys(settings.namespace), []
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=3, first_wait_s=0.01))

    @module.handles()
    def handle(payload: Any) -> None:
        tries.append(payload)
        if payload == "bad" or len(tries) == 1:
            raise ValueError("not today")

    publish(settings, "sink", "good", "bad")
    with running(module):
        wait_until(lambda: len(tries) == 5)
        wait_until(lambda: bool(dead(client, keys, "sink")))
    assert sorted(tries) == ["bad", "bad", "bad", "good", "good"]
    (buried,) = dead(client, keys, "sink")
    assert buried[b"reason"] == b"failed 3 times, last with ValueError: not today"
    assert pending(client, keys, "sink") == 0


def test_an_async_handler_is_awaited(settings: Settings) -> None:
    module, seen = Module("sink", settings=settings), []

    @module.handles()
    async def handle(payload: int) -> None:
        seen.append(payload)

    publish(settings, "sink", 1)
    with running(module):
        wait_until(lambda: seen == [1])


def test_what_a_handler_sends_carries_session_correlation_and_cause(settings: Settings) -> None:
    first, seen = Module("first", settings=settings), []
    second = Module("second", settings=settings)

    @first.handles()
    def relay(payload: int, context: Context) -> None:
        context.send("second", payload + 1)

    @second.handles()
    def receive(payload: int, context: Context) -> None:
        seen.append((payload, context.envelope))

    with Publisher("src", settings=settings) as publisher:
        id_ = publisher.publish("first", 1, session="s")
    with running(first), running(second):
        wait_until(lambda: bool(seen))
    payload, envelope = seen[0]
    assert (payload, envelope.session, envelope.correlation, envelope.causation) == (2, "s", id_, id_)


def test_a_declared_product_is_negotiated_before_its_first_message(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    sink, _ = collector(settings, Page)
    source, refused, envelopes = Module("source", settings=settings), [], []
    source.produces("message", {"type": "object", "properties": {"number": {"type": "string"}}}, target="sink")

    @source.on_start
    def start(context: Context) -> None:
        try:
            context.send("sink", {"number": "1"})
        except NegotiationRefused as error:
            refused.append(error)
        context.stop()

    with running(sink):
        wait_until(lambda: client.run(registry.find(keys, "sink")) is not None)
        source.run()
    assert len(refused) == 1
    assert envelopes == []


def test_running_modules_are_registered_and_their_instances_alive(settings: Settings, client: Client) -> None:
    import time

    keys = Keys(settings.namespace)
    module, _ = collector(settings, Page)

    def instances() -> int:
        found = client.run(registry.everyone(keys, now_ms=time.time_ns() // 1_000_000))
        return sum(len(registered.instances) for registered in found.modules)

    with running(module):
        wait_until(lambda: instances() == 1)
    assert instances() == 0
    found = client.run(registry.require(keys, "sink"))
    assert (found.module, found.version) == ("sink", "1.0.0")
    assert found.registered_us > 0


def test_a_slow_handler_keeps_its_lease(settings: Settings, client: Client, keys: Keys) -> None:
    """Nobody else is there to claim it where this process is late: what shows is that the lease begins anew."""
    gate, handled = threading.Event(), []
    module = Module("sink", settings=settings, lease_s=0.3)

    @module.handles()
    def slow(payload: int) -> None:
        handled.append(payload)
        gate.wait(PATIENCE_S)

    publish(settings, "sink", 1)
    with running(module):
        wait_until(lambda: bool(handled))
        (first,) = leases_ms(client, keys, "sink")
        wait_until(lambda: leases_ms(client, keys, "sink")[0] > first + 600)
        gate.set()
        wait_until(lambda: pending(client, keys, "sink") == 0)
    assert handled == [1]


def test_what_slow_handlers_have_done_is_acked_before_their_batch_ends(settings: Settings, client: Client) -> None:
    """Else a crash in the middle of a batch would have all of it handled again."""
    gate, started = threading.Event(), []
    module = Module("sink", settings=settings)

    @module.handles()
    def slow(payload: int) -> None:
        started.append(payload)
        time.sleep(0.3) if payload < 2 else gate.wait(PATIENCE_S)

    publish(settings, "sink", *range(5))
    with running(module):
        wait_until(lambda: started == [0, 1, 2])
        wait_until(lambda: pending(client, Keys(settings.namespace), "sink") == 3)
        gate.set()


def test_the_lease_of_a_delivery_whose_ack_waits_is_renewed(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        consumer.ack(delivery)
        (first,) = leases_ms(client, keys, "sink")

        def renewed() -> bool:
            consumer.renew()
            return leases_ms(client, keys, "sink")[0] > first

        wait_until(renewed)
    assert pending(client, keys, "sink") == 0


def test_a_module_ends_on_sigterm_and_gives_back_what_it_did_not_handle(
    settings: Settings, environ: dict[str, str], client: Client, tmp_path: Path
) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys, time\nfrom claude_comm import Module\nm = Module('sink')\n"
        "@m.handles()\ndef handle(payload: int) -> None:\n    print(payload, flush=True)\n"
        "    while not m._runner.prefetcher.closed:\n        time.sleep(0.01)\n"
        "sys.exit(m.run())\n"
    )
    publish(settings, "sink", 1, 2, 3)
    child = subprocess.Popen([sys.executable, str(script)], env=environ, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.send_signal(signal.SIGTERM)
    rest, _ = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0
    assert rest == ""
    module, seen = collector(settings, int)
    with running(module):
        wait_until(lambda: len(seen) == 2)
    assert seen == [2, 3]
    assert pending(client, Keys(settings.namespace), "sink") == 0


def test_two_handlers_for_one_type_and_odd_signatures_are_refused() -> None:
    module = Module("m")
    module.handles("a")(lambda payload: None)
    with pytest.raises(ConfigurationError, match="already"):
        module.handles("a")(lambda payload: None)
    with pytest.raises(ConfigurationError, match="0 parameters"):
        module.handles("b")(lambda: None)
    with pytest.raises(SchemaError):
        module.handles("c", accepts={"type": "nonsense"})(lambda payload: None)
