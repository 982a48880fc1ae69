"""Moving large payloads into a store and out of it, a chunk at a time.

Law: memory stays at a few chunks, however large the payload is. A transfer that was killed continues where it stopped.
No byte is returned before its chunk was checked.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from claude_comm.blobs.manifest import CHUNK_BYTES, OCTETS, Manifest, digest_of, manifest_of
from claude_comm.blobs.store import ChunkStore
from claude_comm.errors import ConfigurationError, DecodeError, StoreError

# Called with the bytes moved so far, and the size of the payload in bytes.
Progress = Callable[[int, int], object]


def put_bytes(store: ChunkStore, payload: bytes | memoryview, *, content_type: str = OCTETS) -> Manifest:
    """Stores a payload that is in memory, without copying it. Raises StoreError."""
    view = memoryview(payload).cast("B")
    parts = [view[start : start + CHUNK_BYTES] for start in range(0, len(view), CHUNK_BYTES)]
    manifest = manifest_of(parts, content_type=content_type)
    for digest, part in zip(manifest.digests, parts, strict=True):
        store.put(digest, part)
    return manifest


class PieceWriter:
    """Stores a payload that comes in pieces, of whatever sizes: what fills whole chunks is not copied."""

    def __init__(self, store: ChunkStore) -> None:
        self._store, self._rest = store, bytearray()
        self._digests: list[bytes] = []
        self._size = 0

    def write(self, piece: Any) -> None:
        """Raises StoreError."""
        view = memoryview(piece).cast("B")
        self._size += len(view)
        at = 0
        if self._rest:
            at = min(CHUNK_BYTES - len(self._rest), len(view))
            self._rest += view[:at]
            if len(self._rest) == CHUNK_BYTES:
                self._put(self._rest)
                self._rest = bytearray()
        while len(view) - at >= CHUNK_BYTES:
            self._put(view[at : at + CHUNK_BYTES])
            at += CHUNK_BYTES
        self._rest += view[at:]

    def end(self, *, content_type: str = OCTETS) -> Manifest:
        """Stores what is left; the manifest of all. Raises StoreError."""
        if self._rest:
            self._put(self._rest)
        return Manifest(size=self._size, digests=tuple(self._digests), content_type=content_type)

    def _put(self, chunk: bytearray | memoryview) -> None:
        view = memoryview(chunk)
        digest = digest_of(view)
        self._store.put(digest, view)
        self._digests.append(digest)


def describe_file(file: BinaryIO, *, content_type: str = OCTETS, name: str = "") -> Manifest:
    """The manifest of a file, which is read once for it; nothing is stored yet."""
    file.seek(0)
    return manifest_of(_chunks(file), content_type=content_type, name=name)


def put_file(store: ChunkStore, file: BinaryIO, manifest: Manifest, progress: Progress | None = None) -> None:
    """Stores the chunks of a described file that the store lacks. Raises StoreError, and ConfigurationError for a file
    that was changed meanwhile."""
    for index, digest in enumerate(manifest.digests):
        if not store.has(digest):
            file.seek(index * manifest.chunk)
            chunk = file.read(manifest.length(index))
            if digest_of(chunk) != digest:
                raise ConfigurationError(f"the file {manifest.name or file.name} was changed while it was sent.")
            store.put(digest, chunk)
        if progress is not None:
            progress(min((index + 1) * manifest.chunk, manifest.size), manifest.size)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class Blob:
    """A large payload at its receiver: its size and type, and ways to read it. A chunk is read, and checked, when its
    bytes are needed."""

    def __init__(self, manifest: Manifest, store: ChunkStore) -> None:
        """Raises DecodeError for a manifest that contradicts itself."""
        if not manifest.whole:
            raise DecodeError("the manifest of a large payload names another number of chunks than its size asks for.")
        self.manifest = manifest
        self._store = store

    def __repr__(self) -> str:
        return f"Blob({self.manifest.size:,} bytes, {self.manifest.content_type}, {self.digest[:12]})"

    @property
    def size(self) -> int:
        return self.manifest.size

    @property
    def content_type(self) -> str:
        return self.manifest.content_type

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        """The digest of the whole, in hexadecimal."""
        return self.manifest.root.hex()

    def chunks(self) -> Iterator[bytes]:
        """The bytes in order, a chunk at a time. Raises as `chunk` does."""
        for index in range(len(self.manifest.digests)):
            yield self.chunk(index)

    def chunk(self, index: int) -> bytes:
        """The chunk at that place. Raises BlobMissing, BlobDamaged, StoreError, or DecodeError for one that has another
        length than the manifest says."""
        digest = self.manifest.digests[index]
        chunk = self._store.get(digest)
        # A message may name a chunk that is whole, in a place where another length belongs.
        if len(chunk) != self.manifest.length(index):
            raise DecodeError(
                f"the manifest of a large payload gives the chunk {digest.hex()} a length that it has not."
            )
        return chunk

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """These bytes, or all of them; only the chunks that hold them are read."""
        if start < 0 or (length is not None and length < 0):
            raise ConfigurationError("start and length of a range are numbers of bytes, 0 or more.")
        wanted = self.size if length is None else length
        if start == 0 and wanted >= self.size:
            return b"".join(self.chunks())
        parts = self.manifest.parts(start, wanted)
        return b"".join(self.chunk(index)[at:until] for index, at, until in parts)

    def read_into(self, buffer: memoryview, start: int = 0) -> None:
        """Fills a buffer with the bytes from `start` on, a chunk at a time; it is no longer than what is there."""
        filled = 0
        for index, at, until in self.manifest.parts(start, len(buffer)):
            buffer[filled : filled + until - at] = memoryview(self.chunk(index))[at:until]
            filled += until - at

    def open(self) -> BinaryIO:
        """A file to read from, with `seek`; one chunk of it is in memory."""
        return io.BufferedReader(_Reading(self), buffer_size=io.DEFAULT_BUFFER_SIZE)

    def save(self, path: str | Path, progress: Progress | None = None) -> Path:
        """Writes the payload into a file: whole, or not at all. After a write that was killed, only the chunks that are
        missing are written. Raises BlobMissing, BlobDamaged or StoreError."""
        target = Path(path)
        part = target.with_name(f".{target.name}.{self.digest[:16]}.part")
        try:
            with part.open("r+b" if part.exists() else "w+b") as file:
                self._write(file, progress)
                file.truncate(self.size)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}.") from None
        return target

    def _write(self, file: BinaryIO, progress: Progress | None) -> None:
        for index, digest in enumerate(self.manifest.digests):
            file.seek(index * self.manifest.chunk)
            if digest_of(file.read(self.manifest.length(index))) != digest:
                file.seek(index * self.manifest.chunk)
                file.write(self.chunk(index))
            if progress is not None:
                progress(min((index + 1) * self.manifest.chunk, self.size), self.size)


class _Reading(io.RawIOBase):
    """A blob as a raw file."""

    def __init__(self, blob: Blob) -> None:
        self._blob, self._at = blob, 0
        self._index, self._chunk = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._blob.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._blob.size:
            return 0
        index, offset = divmod(self._at, self._blob.manifest.chunk)
        if index != self._index:
            self._index, self._chunk = index, self._blob.chunk(index)
        count = min(len(buffer), len(self._chunk) - offset)
        buffer[:count] = self._chunk[offset : offset + count]
        self._at += count
        return count
