"""Where chunks are kept: what every store can do, and the folder that needs nothing installed.

Law: a chunk is stored whole or not at all, even if the writer dies; reading one returns exactly the bytes that its name
promises, or raises BlobDamaged. Putting a chunk that is stored already writes nothing and renews its time, so that a
`blobs prune` that runs meanwhile keeps it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from claude_comm.blobs.manifest import DIGEST_BYTES, digest_of
from claude_comm.errors import BlobDamaged, BlobMissing, StoreError, StoreNotReady
from claude_comm.runtime.home import make_private_folders

_PART, _TRASH = ".part-", "trash"


class Stored(NamedTuple):
    """A chunk in a store: its digest, size in bytes, and when it was put last (seconds since the epoch)."""

    digest: bytes
    size: int
    at: float


class ChunkStore(Protocol):
    """A place for chunks. Every method may raise StoreError."""

    def has(self, digest: bytes) -> bool:
        """Whether the chunk is there; if it is, it counts as put now."""
        ...

    def put(self, digest: bytes, chunk: bytes | memoryview) -> None: ...

    def get(self, digest: bytes) -> bytes:
        """The chunk, checked. Raises BlobMissing or BlobDamaged."""
        ...

    def chunks(self) -> Iterable[Stored]: ...

    def discard(self, digest: bytes, *, before: float | None = None) -> bool:
        """Puts a chunk aside, unless it was put since that moment (seconds since the epoch); `empty_trash` removes it
        for good. Whether it is aside."""
        ...

    def empty_trash(self, before: float) -> int:
        """Removes what was put aside, or left half-written by a killed process, before that moment (seconds since the
        epoch). Returns how many files it removed."""
        ...


class FolderStore:
    """Chunks as files, `ab/abcd…` by their digest in hexadecimal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, digest: bytes) -> bool:
        try:
            os.utime(self._path(digest))
        except FileNotFoundError:
            return self._recovered(digest)
        except OSError as error:
            raise _unusable(self.folder, error) from None
        return True

    def put(self, digest: bytes, chunk: bytes | memoryview) -> None:
        if self.has(digest):
            return
        path = self._path(digest)
        part = path.with_name(f"{_PART}{secrets.token_hex(8)}")
        try:
            make_private_folders(path.parent)
            handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise _unusable(self.folder, error) from None

    def get(self, digest: bytes) -> bytes:
        try:
            chunk = self._path(digest).read_bytes()
        except FileNotFoundError:
            if not self._recovered(digest):
                raise BlobMissing(digest.hex()) from None
            return self.get(digest)
        except OSError as error:
            raise _unusable(self.folder, error) from None
        if digest_of(chunk) != digest:
            raise BlobDamaged(digest.hex())
        return chunk

    def chunks(self) -> Iterator[Stored]:
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            digest = _digest(path.name)
            if digest is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield Stored(digest, status.st_size, status.st_mtime)

    def discard(self, digest: bytes, *, before: float | None = None) -> bool:
        path = self._path(digest)
        try:
            if before is not None and path.stat().st_mtime >= before:
                return False
            make_private_folders(self.folder / _TRASH)
            os.utime(path)
            path.replace(self._in_trash(digest))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.folder, error) from None
        return True

    def empty_trash(self, before: float) -> int:
        removed = 0
        leftovers = self.folder.glob(f"[0-9a-f][0-9a-f]/{_PART}*")
        for path in (*self.folder.glob(f"{_TRASH}/*"), *leftovers):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def _recovered(self, digest: bytes) -> bool:
        """Takes the chunk back out of the trash, since it is still in use; whether it was there."""
        try:
            self._in_trash(digest).replace(self._path(digest))
            os.utime(self._path(digest))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.folder, error) from None
        return True

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.folder / name[:2] / name

    def _in_trash(self, digest: bytes) -> Path:
        return self.folder / _TRASH / digest.hex()


def _digest(name: str) -> bytes | None:
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if len(digest) == DIGEST_BYTES and name == digest.hex() else None


def _sync_folder(folder: Path) -> None:
    """Without it a power cut may take the new name away, though the bytes are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(folder: Path, error: OSError) -> StoreError:
    kind = StoreNotReady if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
    return kind(f"the chunks in {folder} cannot be used: {error.strerror}.")
