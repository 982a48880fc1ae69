"""Payloads that are too large for a message: taken out of it where it is sent, and put back where it is read.

Law: a handler cannot tell. Whatever it declares (a type, `bytes`, a `Blob`), it is given the same value whether the
payload travelled in the message or as chunks beside it. Nothing is read before it is asked for.

A payload of bytes, and JSON text, is stored as those bytes, so that it can be read as a file; any other as it is
encoded, in MessagePack. The message has the manifest in its place, whose content type says which of the two it is:
every type but MessagePack's is of plain bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.blobs.manifest import OCTETS, Manifest, digest_of
from claude_comm.blobs.store import ChunkStore, Stored
from claude_comm.blobs.transfer import Blob, put_bytes
from claude_comm.envelope import BLOB, MSGPACK, UNREADABLE, Envelope
from claude_comm.errors import BlobMissing, DecodeError

# What a handler that does not declare `Blob` is given at most.
MAX_WHOLE_BYTES = 1024**3
# How MessagePack begins bytes, and how many bytes say their length.
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
# And text, which JSON may be given as.
_TEXT = {0xD9: 1, 0xDA: 2, 0xDB: 4}


class LargeEnvelope(Envelope, frozen=True, kw_only=True):
    """A message whose payload lies in a store: `data` is its manifest."""

    blob: Blob | None = None

    def payload(self, type: Any = Any) -> Any:
        """The payload, read and checked. Raises DecodeError, BlobMissing, BlobDamaged or StoreError."""
        if type is bytes and self.blob is not None and self.blob.content_type != MSGPACK:
            return _read(self.blob)
        return whole(self).payload(type)


def taken_out(body: bytes, store: ChunkStore, *, max_bytes: int) -> bytes:
    """An encoded message with the manifest in the place of its payload, which is stored. Raises StoreError."""
    message = envelopes.decode(body, max_bytes=len(body))
    view, content_type = memoryview(message.data), message.content_type
    plain = _BYTES | _TEXT if envelopes.is_json(content_type) else _BYTES
    if view[0] in plain:
        view, content_type = view[1 + plain[view[0]] :], OCTETS if content_type == MSGPACK else content_type
    else:
        content_type = MSGPACK
    manifest = put_bytes(store, view, content_type=content_type)
    return envelopes.encode(named(message, manifest), max_bytes=max_bytes)


def named(message: Envelope, manifest: Manifest) -> Envelope:
    """The message with a manifest in the place of its payload."""
    return msgspec.structs.replace(message, content_type=BLOB, data=envelopes.pack(manifest))


def arrived(envelope: Envelope, store: ChunkStore) -> Envelope:
    """The message with its payload at hand; as it was, where that is in the message. What cannot be a manifest stays as
    it is: its handler refuses it."""
    if envelope.content_type != BLOB or isinstance(envelope, LargeEnvelope):
        return envelope
    try:
        blob = Blob(msgspec.msgpack.decode(envelope.data, type=Manifest), store)
    except (*UNREADABLE, DecodeError):
        return envelope
    return LargeEnvelope(**msgspec.structs.asdict(envelope), blob=blob)


def whole(envelope: Envelope) -> Envelope:
    """The message with its payload in it. Raises DecodeError, BlobMissing, BlobDamaged or StoreError."""
    if envelope.content_type != BLOB:
        return envelope
    blob = envelope.blob if isinstance(envelope, LargeEnvelope) else None
    if blob is None:
        raise DecodeError(f"the payload of {envelope.id} is no manifest of a large payload.")
    own: dict[str, Any] = {name: getattr(envelope, name) for name in Envelope.__struct_fields__}
    if blob.content_type == MSGPACK:
        own.update(content_type=MSGPACK, data=msgspec.Raw(_read(blob)))
    else:
        kind = MSGPACK if blob.content_type == OCTETS else blob.content_type
        own.update(content_type=kind, data=envelopes.pack(_read(blob)))
    return Envelope(**own)


def _read(blob: Blob) -> bytes:
    """All of it. A manifest comes from a message: it may name one small chunk a million times."""
    if blob.size > MAX_WHOLE_BYTES:
        raise DecodeError(
            f"the payload has {blob.size:,} bytes, and {MAX_WHOLE_BYTES:,} are read at once: declare `Blob`, which is "
            "read in pieces."
        )
    return blob.read()


def blob_of(envelope: Envelope) -> Blob:
    """The payload as a blob, also where it was small enough to travel in the message. Raises DecodeError."""
    if isinstance(envelope, LargeEnvelope) and envelope.blob is not None:
        return envelope.blob
    view, content_type = memoryview(envelope.data), envelope.content_type
    if content_type != BLOB and view[0] in _BYTES:
        view = view[1 + _BYTES[view[0]] :]
        content_type = OCTETS if content_type == MSGPACK else content_type
    store = MemoryStore()
    return Blob(put_bytes(store, view, content_type=content_type), store)


class MemoryStore:
    """Chunks of one payload that is in memory already."""

    def __init__(self) -> None:
        self._chunks: dict[bytes, bytes] = {}

    def has(self, digest: bytes) -> bool:
        return digest in self._chunks

    def put(self, digest: bytes, chunk: bytes | memoryview) -> None:
        self._chunks[digest] = bytes(chunk)

    def get(self, digest: bytes) -> bytes:
        if digest not in self._chunks:
            raise BlobMissing(digest.hex())
        assert digest_of(self._chunks[digest]) == digest
        return self._chunks[digest]

    def chunks(self) -> list[Stored]:
        return [Stored(digest, len(chunk), 0.0) for digest, chunk in self._chunks.items()]

    def discard(self, digest: bytes, *, before: float | None = None) -> bool:
        return self._chunks.pop(digest, None) is not None

    def empty_trash(self, before: float) -> int:
        return 0
