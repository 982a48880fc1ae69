"""Chunks in a folder, and payloads of several chunks through it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.blobs.manifest import Manifest, digest_of, manifest_of
from claude_comm.blobs.store import FolderStore
from claude_comm.blobs.transfer import Blob, describe_file, put_bytes, put_file
from claude_comm.errors import BlobDamaged, BlobMissing, ConfigurationError, DecodeError, StoreError
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import wait_until


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "blobs")


def small(payload: bytes, chunk: int = 10) -> Manifest:
    return manifest_of([payload[at : at + chunk] for at in range(0, len(payload), chunk)], chunk=chunk)


def stored(store: FolderStore, payload: bytes) -> Blob:
    manifest = small(payload)
    put_file(store, io.BytesIO(payload), manifest)
    return Blob(manifest, store)


def test_a_chunk_comes_back_and_is_private(store: FolderStore) -> None:
    digest = digest_of(b"abc")
    assert not store.has(digest)
    store.put(digest, b"abc")
    assert store.has(digest)
    assert store.get(digest) == b"abc"
    assert [(chunk.digest, chunk.size) for chunk in store.chunks()] == [(digest, 3)]
    modes = {path.stat().st_mode & 0o077 for path in store.folder.rglob("*")}
    assert modes == {0}


def test_what_is_missing_or_was_changed_is_refused_by_name(store: FolderStore) -> None:
    digest = digest_of(b"abc")
    with pytest.raises(BlobMissing, match=digest.hex()):
        store.get(digest)
    store.put(digest, b"abc")
    (path,) = (path for path in store.folder.rglob("*") if path.is_file())
    path.write_bytes(b"abd")
    with pytest.raises(BlobDamaged, match=digest.hex()):
        store.get(digest)


def test_a_chunk_that_was_put_aside_comes_back_to_who_asks_for_it(store: FolderStore) -> None:
    digest = digest_of(b"abc")
    for ask in (lambda: store.get(digest) == b"abc", lambda: store.has(digest)):
        store.put(digest, b"abc")
        store.discard(digest)
        assert list(store.chunks()) == []
        assert ask()
        assert store.empty_trash(time.time() + 9) == 0
    store.discard(digest)
    assert store.empty_trash(time.time() - 9) == 0
    assert store.empty_trash(time.time() + 9) == 1
    assert not store.has(digest)
    store.discard(digest)


def test_a_writer_that_is_killed_leaves_no_chunk_and_its_leftovers_are_swept(store: FolderStore) -> None:
    program = (
        "import os, sys; from pathlib import Path; from claude_comm.blobs.store import FolderStore\n"
        "os.fsync = lambda handle: (print('written', flush=True), sys.stdin.read())\n"
        f"FolderStore(Path({str(store.folder)!r})).put({digest_of(b'abc')!r}, b'abc')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=child_environ(),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert not store.has(digest_of(b"abc"))
    assert list(store.chunks()) == []
    assert store.empty_trash(time.time() + 9) == 1
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        FolderStore(tmp_path / "file").put(digest_of(b"abc"), b"abc")


@given(st.binary(max_size=95), st.integers(0, 99), st.integers(0, 99))
def test_every_range_is_the_one_of_the_payload(payload: bytes, start: int, length: int) -> None:
    manifest = small(payload)
    chunks = {digest_of(payload[at : at + 10]): payload[at : at + 10] for at in range(0, len(payload), 10)}

    class Held(FolderStore):
        def get(self, digest: bytes) -> bytes:
            return chunks[digest]

    blob = Blob(manifest, Held(Path()))
    assert blob.read(start, length) == payload[start : start + length]
    assert blob.read() == payload
    with blob.open() as file:
        file.seek(start)
        assert file.read(length) == payload[start : start + length]
        file.seek(-min(3, len(payload)), os.SEEK_END)
        assert file.read() == payload[max(0, len(payload) - 3) :]


def test_a_transfer_goes_on_with_what_is_missing(store: FolderStore, tmp_path: Path) -> None:
    payload = os.urandom(55)
    path = tmp_path / "payload"
    path.write_bytes(payload)
    manifest = small(payload)
    store.put(manifest.digests[2], payload[20:30])
    put: list[bytes] = []

    class Counted(FolderStore):
        def put(self, digest: bytes, chunk: bytes | memoryview) -> None:
            put.append(digest)
            super().put(digest, chunk)

    seen: list[tuple[int, int]] = []
    with path.open("rb") as file:
        put_file(Counted(store.folder), file, manifest, lambda moved, whole: seen.append((moved, whole)))
    assert put == [digest for at, digest in enumerate(manifest.digests) if at != 2]
    assert seen[-1] == (55, 55)
    assert Blob(manifest, store).read() == payload


def test_a_file_that_changes_while_it_is_sent_is_refused(store: FolderStore, tmp_path: Path) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"before")
    with path.open("rb") as file:
        manifest = describe_file(file, name="payload")
        path.write_bytes(b"after!")
        with pytest.raises(ConfigurationError, match="changed while"):
            put_file(store, file, manifest)


def test_saving_goes_on_from_the_chunks_that_it_has_and_never_shows_half(store: FolderStore, tmp_path: Path) -> None:
    payload = os.urandom(55)
    blob, target = stored(store, payload), tmp_path / "copy"
    read: list[bytes] = []

    class Failing(FolderStore):
        left = 3

        def get(self, digest: bytes) -> bytes:
            if not self.left:
                raise StoreError("gone")
            self.left -= 1
            return super().get(digest)

    class Counted(FolderStore):
        def get(self, digest: bytes) -> bytes:
            read.append(digest)
            return super().get(digest)

    with pytest.raises(StoreError):
        Blob(blob.manifest, Failing(store.folder)).save(target)
    assert not target.exists()
    assert Blob(blob.manifest, Counted(store.folder)).save(target).read_bytes() == payload
    assert read == list(blob.manifest.digests[3:])
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy"]


def test_a_flipped_bit_is_found_before_its_bytes_are_handed_on(store: FolderStore, tmp_path: Path) -> None:
    blob = stored(store, os.urandom(55))
    path = store.folder / blob.manifest.digests[3].hex()[:2] / blob.manifest.digests[3].hex()
    damaged = bytearray(path.read_bytes())
    damaged[4] ^= 16
    path.write_bytes(damaged)
    assert len(blob.read(0, 30)) == 30
    for use in (blob.read, lambda: blob.read(34, 1), lambda: blob.save(tmp_path / "copy"), lambda: blob.open().read()):
        with pytest.raises(BlobDamaged):
            use()
    assert not (tmp_path / "copy").exists()


def test_equal_chunks_are_kept_once(store: FolderStore) -> None:
    put_bytes(store, b"x" * 100)
    put_bytes(store, b"x" * 100)
    assert len(list(store.chunks())) == 1


def test_a_manifest_that_contradicts_itself_is_refused(store: FolderStore) -> None:
    for manifest in (Manifest(size=5), Manifest(size=0, digests=(b"x" * 32,)), Manifest(size=21, chunk=10)):
        with pytest.raises(DecodeError):
            Blob(manifest, store)


def test_the_folder_is_shared_by_processes(store: FolderStore) -> None:
    program = (
        "from pathlib import Path; from claude_comm.blobs.store import FolderStore; from claude_comm.blobs.transfer "
        f"import put_bytes\nfor n in range(50): put_bytes(FolderStore(Path({str(store.folder)!r})), b'%d' % n)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, env=child_environ()) for _ in range(3)
    ]
    wait_until(lambda: all(process.poll() is not None for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(list(store.chunks())) == 50
