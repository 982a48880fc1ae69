"""Large payloads for programs: put a file or bytes once, send its manifest in a message, open it where it arrives.

Law: sender and receiver use the same store (`CLAUDE_COMM_BLOB_STORE`; else `blobs` in their home folder).
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from claude_comm.blobs.manifest import OCTETS, Manifest
from claude_comm.blobs.store import ChunkStore, FolderStore
from claude_comm.blobs.transfer import Blob, Progress, describe_file, put_bytes, put_file
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings


class BlobStore:
    """The large payloads of one installation. Safe to share between threads and processes; nothing is held open."""

    def __init__(self, settings: Settings | None = None) -> None:
        used = settings_of_process() if settings is None else settings
        self.store: ChunkStore = FolderStore(Path(used.blob_store) if used.blob_store else used.home / "blobs")

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
