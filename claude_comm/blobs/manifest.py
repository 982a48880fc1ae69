"""The manifest of a large payload: what travels in a message in its place.

Law: content-addressed. A chunk is named by the SHA-256 of its bytes, the whole by the root over the names of its chunks
(the tree of RFC 9162, see `security.merkle`). So the holder of a manifest can check each chunk alone before using it, a
transfer that was killed continues with the missing chunks, and payloads share equal chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated

import msgspec

from claude_comm.security.merkle import tree

OCTETS = "application/octet-stream"
CHUNK_BYTES = 4 * 1024 * 1024
DIGEST_BYTES = 32

_Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value like any other: it stands anywhere in a payload, and contracts speak of it by this type.

    `size` and `chunk` are bytes; every chunk but the last has that size. `content_type` is the payload's own, `name`
    the name of a file where it was one.
    """

    size: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    chunk: Annotated[int, msgspec.Meta(ge=1, le=2**30)] = CHUNK_BYTES
    digests: tuple[_Digest, ...] = ()
    content_type: Annotated[str, msgspec.Meta(max_length=256)] = OCTETS
    name: Annotated[str, msgspec.Meta(max_length=256)] = ""

    @property
    def root(self) -> bytes:
        """The digest of the whole."""
        return tree(self.digests)[0] if self.digests else sha256(b"").digest()

    def length(self, index: int) -> int:
        """How many bytes that chunk has."""
        return min(self.chunk, self.size - index * self.chunk)

    @property
    def whole(self) -> bool:
        """Whether the number of chunks agrees with the size. A manifest comes from a message: it may be wrong."""
        return len(self.digests) == -(-self.size // self.chunk)

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
    chunks: Iterable[bytes | memoryview], *, content_type: str = OCTETS, name: str = "", chunk: int = CHUNK_BYTES
) -> Manifest:
    """The manifest of these chunks, each of that size but the last."""
    digests, size = [], 0
    for part in chunks:
        digests.append(digest_of(part))
        size += len(part)
    return Manifest(size=size, chunk=chunk, digests=tuple(digests), content_type=content_type, name=name)
