"""Payloads that are too large for a message: whatever a handler declares, it cannot tell how they travelled."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncPublisher, Consumer, Module, Publisher, RetryPolicy, Settings
from claude_comm.blobs import Blob, large, open_blob
from claude_comm.blobs.manifest import OCTETS, Manifest
from claude_comm.blobs.transfer import put_bytes
from claude_comm.client.communicator.communicator import ModuleCommunicator
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.effects import Command
from claude_comm.envelope import BLOB, Envelope, decode, pack
from claude_comm.errors import BlobDamaged, DecodeError
from claude_comm.names import Keys
from claude_comm.progress.events import Retried
from claude_comm.store import queries
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.modules import answering, running
from tests.support.signed_namespace import signed
from tests.support.streams import dead, events
from tests.support.waiting import wait_until

ABOVE = 10_000


@pytest.fixture
def sharing(settings: Settings, tmp_path: Path) -> Settings:
    return msgspec.structs.replace(settings, blob_store=str(tmp_path / "blobs"), blob_above=ABOVE)


class Scan(msgspec.Struct):
    title: str
    pages: list[str]


def bodies(client: Client, keys: Keys, module: str = "b") -> list[bytes]:
    rows = client.data.one(Command(("XRANGE", keys.inbox(module), "-", "+")))
    return [fields[1] for _, fields in rows]


def kept_by(module: Module) -> dict[str, Any]:
    """What handlers of a type and of bytes are given, by the type of the message."""
    seen: dict[str, Any] = {}

    @module.handles("typed")
    def typed(payload: Scan) -> None:
        seen["typed"] = payload

    @module.handles("bytes")
    def plain(payload: bytes) -> None:
        seen["bytes"] = payload

    return seen


@pytest.mark.parametrize("size", [10, ABOVE * 3])
@pytest.mark.parametrize("signing", [False, True])
def test_a_handler_is_given_what_it_declares_however_large_it_is(
    size: int, signing: bool, sharing: Settings, client: Client, keys: Keys
) -> None:
    used = signed(sharing, client) if signing else sharing
    module = Module("b", settings=used)
    seen = kept_by(module)

    @module.handles("any")
    async def anything(payload: Any) -> None:
        seen["any"] = payload

    @module.handles("blob")
    def blob(payload: Blob) -> None:
        seen["blob"] = (payload.size, payload.read(2, 3), b"".join(payload.chunks()))

    scan, data = Scan("t", ["x" * size]), bytes(range(256)) * (size // 256 + 1)
    with running(module), Publisher("a", settings=used) as publisher:
        publisher.publish("b", scan, type="typed")
        publisher.publish_many("b", [data], type="bytes")
        publisher.publish("b", {"x": "y" * size}, type="any", ttl_s=60)
        publisher.publish_soon("b", data, type="blob").result()
        wait_until(lambda: len(seen) == 4)
    assert seen == {"typed": scan, "bytes": data, "any": {"x": "y" * size}, "blob": (len(data), data[2:5], data)}
    large = [decode(body).content_type == BLOB for body in bodies(client, keys)]
    assert large == [size > ABOVE] * 4
    assert max(map(len, bodies(client, keys))) <= ABOVE + 1000


@pytest.mark.parametrize("count", [1, ABOVE])
def test_bytes_and_json_text_of_other_content_types_are_read_alike(count: int, sharing: Settings) -> None:
    """A small one travels in the message. What is larger is stored as it would lie in a file."""
    document = Scan("t", ["p"] * count)
    text, pages = msgspec.json.encode(document), b"%PDF" * count
    with Publisher("a", settings=sharing) as publisher, Consumer("b", settings=sharing) as consumer:
        publisher.publish("b", pages, content_type="application/pdf")
        publisher.publish("b", text, content_type="application/json")
        publisher.publish("b", text.decode(), content_type="application/json")
        publisher.publish("b", {"x": pages}, content_type="application/x-own")
        payloads = [delivery.payload() for delivery in _read(consumer, 4)]
    assert payloads[0] == pages
    assert [bytes_of_text(payload) for payload in payloads[1:3]] == [text, text]
    assert payloads[3] == {"x": pages}


def test_a_file_of_any_type_is_the_bytes_or_the_value_that_its_handler_declares(
    sharing: Settings, tmp_path: Path
) -> None:
    document = Scan("t", ["p"] * ABOVE)
    (tmp_path / "scan.json").write_bytes(msgspec.json.encode(document))
    (tmp_path / "scan.pdf").write_bytes(b"%PDF" * ABOVE)
    module = Module("b", settings=sharing)
    seen = kept_by(module)

    with answering(module), Publisher("a", settings=sharing) as publisher:
        publisher.send_file("b", tmp_path / "scan.json", type="typed")
        publisher.send_file("b", tmp_path / "scan.pdf", type="bytes")
        wait_until(lambda: len(seen) == 2)
    assert seen == {"typed": document, "bytes": b"%PDF" * ABOVE}


def bytes_of_text(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload


def _read(consumer: Consumer, count: int) -> list[Delivery]:
    deliveries: list[Delivery] = []
    while len(deliveries) < count:
        deliveries += consumer.read()
    return deliveries


def test_beyond_what_a_message_may_have_and_back_as_a_reply(sharing: Settings) -> None:
    module = Module("b", settings=sharing)

    @module.handles()
    def double(payload: bytes) -> bytes:
        return payload * 2

    data = b"0123456789abcdef" * 200_000
    with answering(module), Publisher("a", settings=sharing) as publisher:
        assert len(data) > sharing.max_envelope_bytes
        assert publisher.request("b", data) == data * 2
        assert publisher.request("b", data, as_=bytes) == data * 2


def test_a_consumer_decodes_it_as_any_payload(sharing: Settings) -> None:
    async def send() -> None:
        async with AsyncPublisher("a", settings=sharing) as publisher:
            await publisher.publish("b", ["x" * ABOVE] * 3)

    asyncio.run(send())
    with Consumer("b", settings=sharing) as consumer:
        (delivery,) = consumer.read()
        assert delivery.payload() == ["x" * ABOVE] * 3
        assert delivery.payload(list[str]) == ["x" * ABOVE] * 3
        assert open_blob(delivery.envelope, sharing).size > 3 * ABOVE


@pytest.mark.parametrize("content_type", [OCTETS, "application/json"])
def test_one_small_chunk_named_a_million_times_fills_no_memory(content_type: str) -> None:
    store = large.MemoryStore()
    chunk = put_bytes(store, b"x").digests[0]
    lie = Manifest(size=2**31, chunk=1024, digests=(chunk,) * 2**21, content_type=content_type)
    message = Envelope(id="1", source="a", target="b", time=1, data=pack(1))
    arrived = large.arrived(large.named(message, lie), store)
    for wanted in (bytes, Any):
        with pytest.raises(DecodeError, match="declare `Blob`"):
            arrived.payload(wanted)


def test_a_flipped_bit_reaches_no_handler(sharing: Settings, client: Client, keys: Keys) -> None:
    module, seen = Module("b", settings=sharing), []
    module.handles()(seen.append)
    with Publisher("a", settings=sharing) as publisher:
        publisher.publish("b", b"x" * ABOVE * 2)
    (chunk,) = [path for path in Path(sharing.blob_store).glob("??/*") if path.is_file()]
    damaged = bytearray(chunk.read_bytes())
    damaged[7] ^= 1
    chunk.write_bytes(damaged)
    with running(module):
        wait_until(lambda: bool(dead(client, keys, "b")))
    assert seen == []
    with Publisher("a", settings=sharing) as publisher, Consumer("c", settings=sharing) as consumer:
        publisher.publish("c", b"x" * ABOVE * 2)
        (delivery,) = consumer.read()
        with pytest.raises(BlobDamaged):
            delivery.payload()


@pytest.mark.parametrize("kind", ["plain", "async", "batch"])
def test_a_message_waits_for_a_store_that_cannot_be_reached(
    kind: str, sharing: Settings, client: Client, keys: Keys
) -> None:
    """Though its module tries nothing twice: it was no attempt."""
    module, seen, folder = Module("b", settings=sharing, retry=RetryPolicy(attempts=1)), [], Path(sharing.blob_store)

    def handle(payload: bytes) -> None:
        seen.append(payload)

    async def handle_async(payload: bytes) -> None:
        seen.append(payload)

    def handle_batch(payloads: list[bytes]) -> None:
        seen.extend(payloads)

    {
        "plain": lambda: module.handles()(handle),
        "async": lambda: module.handles()(handle_async),
        "batch": lambda: module.handles_batch()(handle_batch),
    }[kind]()
    with Publisher("a", settings=sharing) as publisher:
        publisher.publish("b", b"x" * ABOVE * 2)
    folder.rename(folder.with_name("away"))
    folder.write_text("no folder: nothing in it can be opened")
    with running(module):
        wait_until(lambda: any(isinstance(event, Retried) for event in events(client, keys, "b")))
        folder.unlink()
        folder.with_name("away").rename(folder)
        wait_until(lambda: bool(seen))
    assert seen == [b"x" * ABOVE * 2]
    assert dead(client, keys, "b") == []


def test_where_no_store_is_shared_nothing_is_taken_out(settings: Settings, client: Client, keys: Keys) -> None:
    assert settings.url
    assert settings.takes_out_above == 0
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("b", b"x" * 500_000)
    assert len(bodies(client, keys)[0]) > 500_000
    assert msgspec.structs.replace(settings, url="").takes_out_above == 256 * 1024


def test_a_file_is_sent_with_progress_and_opened_where_it_arrives(
    sharing: Settings, client: Client, tmp_path: Path
) -> None:
    file, saved = tmp_path / "scan.pdf", tmp_path / "copy.pdf"
    file.write_bytes(hashlib.sha256(b"x").digest() * 300_000)
    module, seen = Module("b", settings=sharing), []

    @module.handles()
    def convert(scan: Blob) -> None:
        scan.save(saved)
        seen.append((scan.name, scan.content_type, scan.size))

    with running(module), ModuleCommunicator("a", settings=sharing) as communicator:
        communicator.send_file("b", file)
        wait_until(lambda: bool(seen))
    assert seen == [("scan.pdf", "application/pdf", file.stat().st_size)]
    assert saved.read_bytes() == file.read_bytes()
    with open_database(sharing.database) as database:
        caught_up(client, database, sharing)
        (row,) = [row for row in queries.progress(database) if row.task == "send scan.pdf"]
        assert (row.completed, row.total, row.state) == (file.stat().st_size, file.stat().st_size, "completed")
        (message,) = [row for row in queries.messages(database) if row.source == "a"]
        assert open_blob(message.payload(), sharing).size == file.stat().st_size
