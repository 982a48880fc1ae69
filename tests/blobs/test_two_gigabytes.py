"""A file of 2 GiB from module to module: little memory at both ends, killed and taken up again, a flipped bit found.

A smaller file makes the same way in every run; the large one is for `.ci/run`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from claude_comm import Settings
from claude_comm.blobs.manifest import CHUNK_BYTES
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until

MOST_RESIDENT_KIB = 200 * 1024
SENDER = """
import re, sys
from claude_comm import Publisher
with Publisher("a") as publisher:
    publisher.send_file("b", sys.argv[1])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
RECEIVER = """
import re, sys
from claude_comm import Module
from claude_comm.blobs import Blob
module = Module("b")
@module.handles()
def take(blob: Blob) -> None:
    blob.save(sys.argv[1])
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    open(sys.argv[2], "w").write(f"{blob.size} {peak}")
module.run()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize("size", [64 * 2**20, pytest.param(2 * 2**30, marks=pytest.mark.long)])
def test_a_large_file_is_sent_in_little_memory_taken_up_again_and_checked(
    size: int, settings: Settings, client: Client, keys: Keys, tmp_path: Path, environ: dict[str, str]
) -> None:
    sharing = msgspec.structs.replace(settings, blob_store=str(tmp_path / "blobs"))
    environ = {**environ, "CLAUDE_COMM_BLOB_STORE": sharing.blob_store}
    file, copy, said = tmp_path / "large.bin", tmp_path / "copy.bin", tmp_path / "said"
    digest = made(file, size)

    # Killed in the middle: what is stored stays, and is not written again.
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(file)], env=environ)
    store = Path(sharing.blob_store)
    wait_until(lambda: len(chunks(store)) >= 4)
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    kept = {path: path.stat().st_ino for path in chunks(store)}
    assert len(kept) > 0
    assert client.data.one(Command(("EXISTS", keys.inbox("b")))) == 0
    ran = subprocess.run([sys.executable, "-c", SENDER, str(file)], env=environ, stdout=subprocess.PIPE, check=True)
    assert int(ran.stdout) < MOST_RESIDENT_KIB
    assert all(path.stat().st_ino == inode for path, inode in kept.items())
    assert len(chunks(store)) == size // CHUNK_BYTES

    # A flipped bit is found before the file is there.
    victim = chunks(store)[-1]
    flip(victim)
    receiver = subprocess.Popen([sys.executable, "-c", RECEIVER, str(copy), str(said)], env=environ)
    try:
        wait_until(lambda: retried(client, keys))
        assert not copy.exists()
        flip(victim)
        wait_until(said.exists)
        wait_until(lambda: bool(said.read_text()))
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait()
    got, peak = said.read_text().split()
    assert int(got) == size
    assert int(peak) < MOST_RESIDENT_KIB
    assert hash_of(copy) == digest
    print(f"{size:,} bytes: sender {int(ran.stdout):,} KiB, receiver {int(peak):,} KiB")


def made(file: Path, size: int) -> bytes:
    whole, block = hashlib.sha256(), os.urandom(2**20)
    with file.open("wb") as out:
        for number in range(size // 2**20):
            piece = number.to_bytes(8, "big") + block[8:]
            out.write(piece)
            whole.update(piece)
    return whole.digest()


def hash_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def chunks(store: Path) -> list[Path]:
    return sorted(path for path in store.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64)


def flip(chunk: Path) -> None:
    with chunk.open("r+b") as file:
        file.seek(1000)
        (byte,) = file.read(1)
        file.seek(1000)
        file.write(bytes((byte ^ 1,)))


def retried(client: Client, keys: Keys) -> bool:
    """Whether the handler failed: the message waits for its next attempt."""
    return bool(client.data.one(Command(("EXISTS", keys.later("b")))))
