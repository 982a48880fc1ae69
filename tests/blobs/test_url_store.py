"""A store by URL, tried on obstore's own stores in memory and in a folder, and on a server that speaks S3 (moto)."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.blobs import BlobStore, open_blob
from claude_comm.blobs.manifest import CHUNK_BYTES, digest_of
from claude_comm.errors import BlobDamaged, BlobMissing, ConfigurationError, StoreError
from tests.support.waiting import wait_until

obstore = pytest.importorskip("obstore")
from obstore.exceptions import AlreadyExistsError  # noqa: E402  (needs obstore)

from claude_comm.blobs.url_store import UrlStore, _path  # noqa: E402  (needs obstore)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3, in a process of its own."""
    if not (python := os.environ.get("TEST_S3_PYTHON")):
        pytest.skip(
            "no server that speaks S3: TEST_S3_PYTHON names an interpreter that has moto[server], in an environment of "
            "its own, for it pins what is pinned otherwise here"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_until(lambda: _answers(port), what="the server that speaks S3")
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of its own, and what the environment says of where it is and who asks."""
    name = f"b{uuid.uuid4().hex}"
    given = {"ENDPOINT_URL": s3, "ALLOW_HTTP": "true", "REGION": "us-east-1", "ACCESS_KEY_ID": "a"}
    for word, value in {**given, "SECRET_ACCESS_KEY": "planted-secret"}.items():
        monkeypatch.setenv(f"AWS_{word}", value)
    assert httpx.put(f"{s3}/{name}").status_code == 200
    return f"s3://{name}"


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.long)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> UrlStore:
    if request.param == "memory":
        return UrlStore("memory:///")
    if request.param == "s3":
        return UrlStore(request.getfixturevalue("bucket"))
    (tmp_path / "objects").mkdir()
    return UrlStore(f"file://{tmp_path / 'objects'}")


def test_a_chunk_is_kept_checked_put_aside_and_brought_back(store: UrlStore) -> None:
    chunk = b"chunk" * 1000
    digest = digest_of(chunk)
    assert not store.has(digest)
    store.put(digest, memoryview(chunk))
    store.put(digest, chunk)
    assert store.get(digest) == chunk
    with pytest.raises(AlreadyExistsError):
        obstore.put(store._store, _path(digest), b"another", mode="create")
    assert [(found.digest, found.size) for found in store.chunks()] == [(digest, len(chunk))]
    assert not store.discard(digest, before=time.time() - 60)
    assert store.discard(digest, before=time.time() + 60)
    assert list(store.chunks()) == []
    assert store.get(digest) == chunk
    assert store.discard(digest)
    assert store.empty_trash(time.time() + 60) == 1
    with pytest.raises(BlobMissing):
        store.get(digest)


def test_a_changed_object_is_found(store: UrlStore) -> None:
    digest = digest_of(b"right")
    store.put(digest, b"right")
    obstore.put(store._store, _path(digest), b"wrong")
    with pytest.raises(BlobDamaged):
        store.get(digest)


def test_what_is_old_is_renewed_when_it_is_used(store: UrlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = digest_of(b"old")
    store.put(digest, b"old")
    copied: list[Any] = []
    original = obstore.copy
    monkeypatch.setattr(obstore, "copy", lambda *words: (copied.append(words), original(*words))[1])
    assert store.has(digest)
    assert copied == []
    later = time.time() + 13 * 3600
    monkeypatch.setattr("claude_comm.blobs.url_store.time.time", lambda: later)
    assert store.has(digest)
    assert len(copied) == 2


def test_a_setting_may_name_a_url_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, blob_store=f"file://{tmp_path}")
    blobs = BlobStore(settings)
    manifest = blobs.put(b"x" * 10_000_000)
    assert blobs.open(manifest).read(5_000_000, 3) == b"xxx"
    with pytest.raises(ConfigurationError, match="no address of a store") as refused:
        BlobStore(Settings(home=tmp_path, blob_store="what://user:secret@host/bucket"))
    assert "secret" not in str(refused.value)


@pytest.mark.long
def test_a_file_goes_through_s3_in_two_steps_and_a_flipped_bit_is_found(
    bucket: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a sender that was killed had put is not put again."""
    used = msgspec.structs.replace(settings, blob_store=bucket)
    content = random.Random(1).randbytes(20_000_000)
    (tmp_path / "film").write_bytes(content)
    store, puts = UrlStore(bucket), []
    chunks = [content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES)]
    for chunk in chunks[:3]:
        store.put(digest_of(chunk), chunk)
    put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda *words, **more: (puts.append(words[1]), put(*words, **more))[1])
    with Publisher("a", settings=used) as publisher, Consumer("b", settings=used) as consumer:
        publisher.send_file("b", tmp_path / "film")
        (delivery,) = consumer.read()
        blob = open_blob(delivery.envelope, used)
        assert sorted(puts) == sorted(_path(digest_of(chunk)) for chunk in chunks[3:])
        assert blob.read(9_000_000, 5) == content[9_000_000:9_000_005]
        flipped = bytes([chunks[1][0] ^ 1]) + chunks[1][1:]
        put(store._store, _path(digest_of(chunks[1])), flipped)
        with pytest.raises(BlobDamaged):
            blob.read(5_000_000, 5)


@pytest.mark.long
def test_a_bucket_that_cannot_be_used_is_told_without_what_logs_in(bucket: str) -> None:
    store = UrlStore(f"{bucket}-none")
    with pytest.raises(StoreError) as refused:
        store.put(digest_of(b"x"), b"x")
    assert "planted-secret" not in str(refused.value)
