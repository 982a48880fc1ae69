"""A store by URL, tried on obstore's own stores in memory and in a folder; no S3 was tried."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.blobs import BlobStore
from claude_comm.blobs.manifest import digest_of
from claude_comm.errors import BlobDamaged, BlobMissing, ConfigurationError

obstore = pytest.importorskip("obstore")
from claude_comm.blobs.url_store import UrlStore, _path  # noqa: E402  (needs obstore)


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> UrlStore:
    if request.param == "memory":
        return UrlStore("memory:///")
    (tmp_path / "objects").mkdir()
    return UrlStore(f"file://{tmp_path / 'objects'}")


def test_a_chunk_is_kept_checked_put_aside_and_brought_back(store: UrlStore) -> None:
    chunk = b"chunk" * 1000
    digest = digest_of(chunk)
    assert not store.has(digest)
    store.put(digest, memoryview(chunk))
    store.put(digest, chunk)
    assert store.get(digest) == chunk
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
