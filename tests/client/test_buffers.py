"""Arrays and tables as payloads: what a handler is given is what was sent, by its buffers and never pickled."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncPublisher, Consumer, Module, Publisher, Settings
from claude_comm.client.buffers import ARROW, NPY, reader_of
from claude_comm.effects import Command
from claude_comm.envelope import BLOB, decode
from claude_comm.errors import DoesNotFit, EncodeError, TooLarge
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import answering
from tests.support.streams import dead
from tests.support.waiting import wait_until

numpy = pytest.importorskip("numpy")
pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture
def sharing(settings: Settings, tmp_path: Path) -> Settings:
    return msgspec.structs.replace(settings, blob_store=str(tmp_path / "blobs"))


ARRAYS = {
    "small": lambda: numpy.arange(12.0).reshape(3, 4),
    "large": lambda: numpy.arange(2_000_000, dtype="<i8").reshape(2, -1),
    "fortran": lambda: numpy.asfortranarray(numpy.arange(600_000.0).reshape(300, 2000)),
    "a view with steps": lambda: numpy.arange(400_000)[::3],
    "empty": lambda: numpy.empty((0, 3), dtype="f4"),
    "a scalar": lambda: numpy.array(7, dtype="u2"),
    "records": lambda: numpy.zeros(10, dtype=[("a", "<i4"), ("b", "<f8")]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_arrives_as_it_was_sent(kind: str, sharing: Settings, client: Client, keys: Keys) -> None:
    array, seen = ARRAYS[kind](), []
    module = Module("b", settings=sharing)

    @module.handles()
    def handle(payload: numpy.ndarray) -> None:  # type: ignore[name-defined]
        seen.append(payload)

    with answering(module), Publisher("a", settings=sharing) as publisher:
        publisher.publish("b", array)
        wait_until(lambda: bool(seen))
    assert seen[0].dtype == array.dtype
    numpy.testing.assert_array_equal(seen[0], array)
    ((_, fields),) = client.data.one(Command(("XRANGE", keys.inbox("b"), "-", "+")))
    assert decode(fields[1]).content_type == (BLOB if array.nbytes > sharing.blob_above else NPY)


@pytest.mark.parametrize("rows", [3, 100_000])
def test_a_table_arrives_as_it_was_sent(rows: int, sharing: Settings) -> None:
    table = pyarrow.table({"n": list(range(rows)), "text": [f"row {n}" for n in range(rows)]})
    seen: list[Any] = []
    module = Module("b", settings=sharing)

    @module.handles()
    def handle(payload: pyarrow.Table) -> None:  # type: ignore[name-defined]
        seen.append(payload)

    with answering(module), Publisher("a", settings=sharing) as publisher:
        publisher.publish("b", table)
        wait_until(lambda: bool(seen))
    assert seen[0].equals(table)


@pytest.mark.parametrize("count", [6, 100_000])
def test_a_request_and_its_reply_may_be_arrays(count: int, sharing: Settings) -> None:
    module = Module("b", settings=sharing)

    @module.handles()
    def double(payload: numpy.ndarray) -> numpy.ndarray:  # type: ignore[name-defined]
        return payload * 2

    array = numpy.arange(count, dtype="<i8")
    with answering(module), Publisher("a", settings=sharing) as publisher:
        reply = publisher.request("b", array, as_=numpy.ndarray)
        with pytest.raises(DoesNotFit, match=NPY):
            publisher.request("b", array, as_=pyarrow.Table)
    numpy.testing.assert_array_equal(reply, array * 2)


def test_a_task_asks_with_a_table_and_is_answered_with_one(sharing: Settings) -> None:
    module = Module("b", settings=sharing)

    @module.handles()
    async def head(payload: pyarrow.Table) -> pyarrow.Table:  # type: ignore[name-defined]
        return payload.slice(0, 2)

    async def asked() -> Any:
        async with AsyncPublisher("a", settings=sharing) as publisher:
            return await publisher.request("b", table, as_=pyarrow.Table)

    table = pyarrow.table({"n": [1, 2, 3]})
    with answering(module):
        assert asyncio.run(asked()).equals(table.slice(0, 2))


def test_a_batch_may_have_arrays_beside_other_values(sharing: Settings) -> None:
    arrays = [numpy.arange(3), numpy.arange(100_000)]
    with Publisher("a", settings=sharing) as publisher, Consumer("b", settings=sharing) as consumer:
        publisher.publish_many("b", [arrays[0], 7, arrays[1]])
        payloads: list[Any] = []
        while len(payloads) < 3:
            payloads += [delivery.payload(Any) for delivery in consumer.read()]
    assert payloads[1] == 7
    assert [payloads[0][:6], payloads[2][:6]] == [b"\x93NUMPY"] * 2


def test_a_large_array_is_copied_once_on_its_way(sharing: Settings) -> None:
    """From its memory into the store, chunk by chunk, and out of it into the memory of the new one."""
    array = numpy.ones(2_000_000)
    with Publisher("a", settings=sharing) as publisher, Consumer("b", settings=sharing) as consumer:
        tracemalloc.start()
        publisher.publish("b", array)
        _, sending = tracemalloc.get_traced_memory()
        (delivery,) = consumer.read()
        tracemalloc.reset_peak()
        copy = reader_of(numpy.ndarray)(delivery.envelope)
        _, reading = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    numpy.testing.assert_array_equal(copy, array)
    assert sending < array.nbytes / 2
    assert reading < array.nbytes * 1.75


def test_who_sends_what_is_too_large_is_told_of_the_store(settings: Settings) -> None:
    apart = msgspec.structs.replace(settings, blob_above=0, max_envelope_bytes=2_000)
    with Publisher("a", settings=apart) as publisher, pytest.raises(TooLarge, match="CLAUDE_COMM_BLOB_STORE"):
        publisher.publish("b", numpy.arange(1_000))


def test_python_objects_are_refused_at_both_ends(sharing: Settings, client: Client, keys: Keys) -> None:
    module = Module("b", settings=sharing)

    @module.handles()
    def handle(payload: numpy.ndarray) -> None:  # type: ignore[name-defined]
        raise AssertionError(payload)

    evil = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60 + b"\n" + b"x"
    with answering(module), Publisher("a", settings=sharing) as publisher:
        with pytest.raises(EncodeError, match="Python objects"):
            publisher.publish("b", numpy.array([object()]))
        publisher.publish("b", evil, content_type=NPY)
        publisher.publish("b", b"no table", content_type=ARROW)
        publisher.publish("b", {"no": "array"})
        wait_until(lambda: len(dead(client, keys, "b")) == 3)


def test_who_declares_nothing_is_given_the_bytes(sharing: Settings) -> None:
    with Publisher("a", settings=sharing) as publisher, Consumer("b", settings=sharing) as consumer:
        publisher.publish("b", numpy.arange(3))
        (delivery,) = consumer.read()
        assert delivery.payload().startswith(b"\x93NUMPY")
