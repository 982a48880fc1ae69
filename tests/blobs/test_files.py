"""Large payloads from one module to another, and the commands for the store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.blobs import BlobStore, Manifest
from claude_comm.errors import ConfigurationError, DecodeError
from tests.support.modules import answering
from tests.support.waiting import wait_until


class Scan(msgspec.Struct):
    document: Manifest
    pages: list[Manifest] = []


def test_a_file_goes_from_module_to_module_under_an_agreement(settings: Settings, tmp_path: Path) -> None:
    content = os.urandom(9 * 1024 * 1024)
    (tmp_path / "scan.pdf").write_bytes(content)
    blobs, copy = BlobStore(settings), tmp_path / "copy.pdf"
    module, seen = Module("marker", settings=settings), []

    @module.handles()
    def convert(scan: Scan) -> int:
        blob = blobs.open(scan.document)
        seen.append((blob.name, blob.content_type, blob.save(copy)))
        return blob.size

    with answering(module), Publisher("scanner", settings=settings) as publisher:
        wait_until(lambda: _registered(publisher))
        publisher.negotiate("marker", Scan)
        scan = Scan(blobs.put_file(tmp_path / "scan.pdf"), [blobs.put(b"page")])
        assert publisher.request("marker", scan) == len(content)
    assert seen == [("scan.pdf", "application/pdf", copy)]
    assert copy.read_bytes() == content


def _registered(publisher: Publisher) -> bool:
    from claude_comm.errors import UnknownModule

    try:
        publisher.negotiate("marker", Scan)
    except UnknownModule:
        return False
    return True


def test_a_file_that_cannot_be_read_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        BlobStore(settings).put_file(tmp_path / "missing")


def test_the_store_is_the_one_that_is_named(settings: Settings, tmp_path: Path) -> None:
    named = msgspec.structs.replace(settings, blob_store=str(tmp_path / "shared"))
    manifest = BlobStore(named).put(b"x")
    assert BlobStore(named).open(manifest).read() == b"x"
    assert (tmp_path / "shared").is_dir()


def test_the_store_is_listed_verified_and_pruned(settings: Settings, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    blobs = BlobStore(settings)
    kept, old = blobs.put(b"kept"), blobs.put(b"old")
    path = settings.home / "blobs" / old.digests[0].hex()[:2] / old.digests[0].hex()
    os.utime(path, (1, time.time() - 40 * 86_400))
    assert run("blobs", "list", "--json").json == {"chunks": 2, "bytes": 7}
    assert run("blobs", "verify").code == 0
    assert run("blobs", "prune", "--older-than", "30d", "--dry-run", "--json").json["put_aside"] == 1
    assert run("blobs", "list", "--json").json["chunks"] == 2
    assert run("blobs", "prune", "--older-than", "30d", "--json").json["put_aside"] == 1
    assert run("blobs", "list", "--json").json["chunks"] == 1
    assert blobs.open(old).read() == b"old"
    path = settings.home / "blobs" / kept.digests[0].hex()[:2] / kept.digests[0].hex()
    path.write_bytes(b"bent")
    verified = run("blobs", "verify", "--json")
    assert (verified.code, verified.json["damaged"]) == (1, [kept.digests[0].hex()])


@pytest.mark.parametrize("size", [3, 5])
def test_a_manifest_that_gives_a_chunk_another_length_is_refused(settings: Settings, tmp_path: Path, size: int) -> None:
    """A manifest comes in a message: its chunks may be real, and its sizes not."""
    blobs = BlobStore(settings)
    blob = blobs.open(msgspec.structs.replace(blobs.put(b"four"), size=size))
    readings = (blob.read, lambda: blob.read(1, 1), lambda: blob.open().read(), lambda: blob.save(tmp_path / "copy"))
    for reading in (*readings, lambda: blob.read_into(memoryview(bytearray(size)))):
        with pytest.raises(DecodeError, match="length"):
            reading()
    assert not (tmp_path / "copy").exists()
