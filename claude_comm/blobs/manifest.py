"""The manifest of a large payload: what stands in the envelope in its place.

Law: content-addressed. A chunk is named by the SHA-256 of its bytes, the whole by the root over the names of its chunks
(the tree of RFC 9162, see `security.merkle`). So whoever has the manifest can check every chunk by itself before it is
used, a transfer that was killed goes on with the chunks that are missing, and two payloads share what is equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated

import msgspec

from claude_comm.envelope import MSGPACK, UNREADABLE
from claude_comm.errors import DecodeError
from claude_comm.security.merkle import tree

# Of an envelope whose payload is the manifest of a larger one.
MANIFEST = "application/vnd.claude-comm.manifest"
CHUNK_BYTES = 4 * 1024 * 1024
DIGEST_BYTES = 32

_Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`size` and `chunk` are bytes; every chunk but the last has that size. `content_type` is the payload's own, `name`
    the name of a file where it was one."""

    size: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    chunk: Annotated[int, msgspec.Meta(ge=1, le=2**30)] = CHUNK_BYTES
    digests: tuple[_Digest, ...] = ()
    content_type: Annotated[str, msgspec.Meta(max_length=256)] = MSGPACK
    name: Annotated[str, msgspec.Meta(max_length=256)] = ""

    def __post_init__(self) -> None:
        if len(self.digests) != -(-self.size // self.chunk):
            raise ValueError("a manifest names another number of chunks than its size asks for")

    @property
    def root(self) -> bytes:
        """The digest of the whole."""
        return tree(self.digests)[0] if self.digests else sha256(b"").digest()

    def length(self, index: int) -> int:
        """How many bytes that chunk has."""
        return min(self.chunk, self.size - index * self.chunk)

    def parts(self, start: int, length: int) -> Iterator[tuple[int, int, int]]:
        """The chunks that hold these bytes: index, and from where to where in the chunk."""
        end = min(start + length, self.size)
        while start < end:
            index, offset = divmod(start, self.chunk)
            until = min(end - index * self.chunk, self.chunk)
            yield index, offset, until
            start = index * self.chunk + until


def digest_of(chunk: bytes | memoryview) -> bytes:
    return sha256(chunk).digest()


def manifest_of(
    chunks: Iterable[bytes | memoryview], *, content_type: str = MSGPACK, name: str = "", chunk: int = CHUNK_BYTES
) -> Manifest:
    """The manifest of these chunks, each of that size but the last."""
    digests, size = [], 0
    for part in chunks:
        digests.append(digest_of(part))
        size += len(part)
    return Manifest(size=size, chunk=chunk, digests=tuple(digests), content_type=content_type, name=name)


_decode = msgspec.msgpack.Decoder(Manifest).decode


def read(data: bytes | msgspec.Raw) -> Manifest:
    """The manifest that an envelope carries. Raises DecodeError."""
    try:
        return _decode(data)
    except UNREADABLE as error:
        raise DecodeError(f"the manifest of a large payload cannot be read: {str(error).rstrip('.')}.") from None
