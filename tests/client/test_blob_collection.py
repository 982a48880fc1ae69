"""Collecting large payloads: a thousand are swept, and whatever a message anywhere may name is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.blobs import BlobStore, Manifest
from claude_comm.blobs.marking import digests_in
from claude_comm.client import blob_collection
from claude_comm.client.blob_collection import Collected, collect
from claude_comm.client.publisher import outbox_sender
from claude_comm.effects import Command
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until

DAY_S = 24 * 3600.0


@pytest.fixture
def settings(home: Path) -> Settings:
    """A server of its own: a collection looks through all that is on one."""
    return Settings(home=home)


@pytest.fixture
def sharing(settings: Settings, tmp_path: Path) -> Settings:
    return msgspec.structs.replace(settings, blob_store=str(tmp_path / "blobs"))


def age(settings: Settings, seconds: float = 2 * DAY_S) -> None:
    """All chunks as they are after so long."""
    then = time.time() - seconds
    for path in Path(settings.blob_store).glob("*/*"):
        os.utime(path, (then, then))


def collected(client: Client, settings: Settings, **options: bool) -> Collected:
    dry_run = options.get("dry_run", False)
    store = BlobStore(settings).store
    return collect(client, store, [settings.database], now_s=time.time(), dry_run=dry_run)


def delayed(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("b", {"document": manifest}, delay_s=3600)


def waiting(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("b", [manifest])


def in_a_topic(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("topic:news", manifest)


def as_json(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("b", msgspec.json.encode(manifest), content_type="application/json")


def buried(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("d", manifest)
    with Consumer("d", settings=publisher.identity.settings) as consumer:
        (delivery,) = consumer.read()
        consumer.fail(delivery, "no")
    publisher.client.data.one(Command(("DEL", publisher.identity.keys.inbox("d"))))


def projected(publisher: Publisher, manifest: Manifest) -> None:
    publisher.publish("p", manifest)
    settings = publisher.identity.settings
    with open_database(settings.database) as database:
        caught_up(publisher.client, database, settings)
    publisher.client.data.one(Command(("DEL", publisher.identity.keys.inbox("p"))))


@pytest.mark.parametrize("where", [waiting, delayed, in_a_topic, as_json, buried, projected])
def test_what_a_message_names_is_kept_and_a_thousand_others_are_swept(
    where: Callable[[Publisher, Manifest], None], sharing: Settings, client: Client
) -> None:
    blobs = BlobStore(sharing)
    manifest = blobs.put(b"kept" * 100)
    others = 1000 if where is waiting else 10
    for number in range(others):
        path = blobs.store._path(blobs.put(b"%d" % number).digests[0])  # type: ignore[attr-defined]
        assert path.exists()
    with Publisher("a", settings=sharing) as publisher:
        where(publisher, manifest)
    assert collected(client, sharing).put_aside == 0
    age(sharing)
    would = collected(client, sharing, dry_run=True)
    assert (would.chunks, would.named, would.put_aside) == (others + 1, 1, others)
    assert collected(client, sharing).put_aside == others
    assert blobs.open(manifest).read() == b"kept" * 100
    # Two phases: what is aside comes back when it is asked for, and goes a day later.
    assert collected(client, sharing).removed == 0
    age(sharing)
    done = collected(client, sharing)
    assert (done.removed, done.chunks) == (others, 1)
    assert blobs.open(manifest).read() == b"kept" * 100


def test_what_is_aside_comes_back_when_it_is_sent_again(sharing: Settings, client: Client) -> None:
    blobs = BlobStore(sharing)
    manifest = blobs.put(b"again")
    age(sharing)
    assert collected(client, sharing).put_aside == 1
    assert blobs.put(b"again") == manifest
    age(sharing, 60)
    collected(client, sharing)
    assert blobs.open(manifest).read() == b"again"


def test_what_is_put_while_it_is_looked_for_stays(
    sharing: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobStore(sharing)
    manifest = blobs.put(b"sent now")
    age(sharing)
    original = blob_collection._marked

    def meanwhile(client: Client, databases: list[Path], candidates: set[bytes]) -> set[bytes]:
        marked = original(client, databases, candidates)
        blobs.put(b"sent now")
        return marked

    monkeypatch.setattr(blob_collection, "_marked", meanwhile)
    assert collected(client, sharing).put_aside == 0
    assert blobs.open(manifest).read() == b"sent now"


def test_an_outbox_renews_what_its_messages_name(
    sharing: Settings, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "RENEW_CHUNKS_S", 0.0)
    blobs = BlobStore(sharing)
    manifest = blobs.put(b"in the outbox")
    with Publisher("a", settings=sharing, outbox=tmp_path / "outbox.db") as publisher:
        publisher.publish("b", manifest)
        client.data.one(Command(("DEL", publisher.identity.keys.inbox("b"))))
        age(sharing)
        store = blobs.store
        wait_until(lambda: all(chunk.at > time.time() - DAY_S for chunk in store.chunks()))


def test_a_projection_that_cannot_be_read_stops_the_collection(sharing: Settings, client: Client) -> None:
    BlobStore(sharing).put(b"x")
    age(sharing)
    sharing.database.parent.mkdir(parents=True, exist_ok=True)
    sharing.database.write_bytes(b"no database at all" * 100)
    with pytest.raises(blob_collection.StoreError, match="nothing is collected"):
        collected(client, sharing)


def test_every_form_of_a_digest_counts() -> None:
    manifest = Manifest(size=1, digests=(bytes(range(32)),))
    forms = [msgspec.msgpack.encode(manifest), msgspec.json.encode(manifest), bytes(range(32)).hex().encode()]
    for form in forms:
        assert bytes(range(32)) in set(digests_in(b"xx" + form + b"yy"))
    assert list(digests_in(b"\xc4\x20short")) == []
