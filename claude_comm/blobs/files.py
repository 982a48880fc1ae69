"""Large payloads for programs: put a file or bytes once, send its manifest in a message, open it where it arrives.

Law: sender and receiver use the same store (`CLAUDE_COMM_BLOB_STORE`; else `blobs` in their home folder).
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

import msgspec

from claude_comm.blobs.large import arrived, blob_of
from claude_comm.blobs.manifest import OCTETS, Manifest
from claude_comm.blobs.store import ChunkStore, FolderStore
from claude_comm.blobs.transfer import Blob, Progress, describe_file, put_bytes, put_file
from claude_comm.envelope import Envelope
from claude_comm.errors import ConfigurationError, DecodeError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings


def store_of(settings: Settings) -> ChunkStore:
    """The store that these settings name: a folder, or the URL of a bucket. Raises ConfigurationError."""
    if "://" in settings.blob_store:
        from claude_comm.blobs.url_store import UrlStore  # obstore is an extra

        return UrlStore(settings.blob_store)
    return FolderStore(Path(settings.blob_store) if settings.blob_store else settings.home / "blobs")


def open_blob(source: object, settings: Settings | None = None) -> Blob:
    """The large payload that a manifest stands for (also as the mapping that it is in a payload), or that a message has
    in its place. Raises DecodeError for anything else."""
    store = store_of(settings_of_process() if settings is None else settings)
    if isinstance(source, Envelope):
        return blob_of(arrived(source, store))
    try:
        return Blob(source if isinstance(source, Manifest) else msgspec.convert(source, Manifest), store)
    except msgspec.ValidationError as error:
        raise DecodeError(f"this is no manifest of a large payload: {error}.") from None


class BlobStore:
    """The large payloads of one installation. Safe to share between threads and processes; nothing is held open."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.store = store_of(settings_of_process() if settings is None else settings)

    def put_file(self, path: str | Path, *, content_type: str = "", progress: Progress | None = None) -> Manifest:
        """Stores a file, and returns the manifest to send in its place. Chunks that the store has already are not
        written again, so a transfer that was killed continues where it stopped.

        `content_type` is guessed from the name where none is given; `progress` is called with the bytes stored so far
        and the size of the file. Raises ConfigurationError for a file that cannot be read, or StoreError.
        """
        file_path = Path(path)
        guessed = content_type or mimetypes.guess_type(file_path.name)[0] or OCTETS
        try:
            with file_path.open("rb") as file:
                manifest = describe_file(file, content_type=guessed, name=file_path.name[:256])
                put_file(self.store, file, manifest, progress)
        except OSError as error:
            raise ConfigurationError(f"the file {file_path} cannot be read: {error.strerror}.") from None
        return manifest

    def put(self, payload: bytes | bytearray | memoryview, *, content_type: str = OCTETS) -> Manifest:
        """Stores bytes, or anything with a buffer such as a numpy array, without copying them. Raises StoreError."""
        return put_bytes(self.store, memoryview(payload), content_type=content_type)

    def open(self, manifest: Manifest) -> Blob:
        """The payload that a manifest stands for; nothing of it is read yet."""
        return Blob(manifest, self.store)
