"""A file on its way into the store: chunk by chunk, with reports of how far it is.

Law: the file is read once, a chunk is in memory, and a chunk that the store has is not written again: a transfer that
was killed, or is made again, goes on where it was.
"""

from __future__ import annotations

import mimetypes
import time
from pathlib import Path

from claude_comm.blobs.files import store_of
from claude_comm.blobs.manifest import CHUNK_BYTES, OCTETS, Manifest, digest_of
from claude_comm.errors import ConfigurationError
from claude_comm.progress.events import TaskProgress
from claude_comm.settings import Settings

# Between two reports: as often as a loop's own.
REPORT_EVERY_S = 0.5
_NAME_CHARACTERS = 256


class FileTransfer:
    """One file. Raises ConfigurationError for one that cannot be read, StoreError where the store takes nothing."""

    def __init__(self, settings: Settings, path: str | Path, content_type: str = "") -> None:
        self._path = Path(path)
        self._store = store_of(settings)
        self._content_type = content_type or mimetypes.guess_type(self._path.name)[0] or OCTETS
        self._digests: list[bytes] = []
        self._moved = 0
        self._ended = False
        self._started_us, self._started = time.time_ns() // 1000, time.monotonic()
        try:
            self._file = self._path.open("rb")
            self._size = self._path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from None

    @property
    def task(self) -> str:
        """Under which its progress is reported."""
        return f"send {self._path.name}"[:128]

    def step(self) -> TaskProgress | None:
        """Moves what can be moved until the next report is due; the report, and None once the last one was given."""
        if self._ended:
            return None
        until = time.monotonic() + REPORT_EVERY_S
        try:
            while chunk := self._file.read(CHUNK_BYTES):
                digest = digest_of(chunk)
                self._store.put(digest, chunk)
                self._digests.append(digest)
                self._moved += len(chunk)
                if time.monotonic() >= until:
                    return self._report("running")
        except OSError as error:
            self.close()
            raise self._unreadable(error) from None
        self.close()
        return self._report("completed")

    def close(self) -> None:
        self._ended = True
        self._file.close()

    @property
    def manifest(self) -> Manifest:
        """What is sent in the place of the file, once it is stored."""
        return Manifest(
            size=self._moved,
            digests=tuple(self._digests),
            content_type=self._content_type,
            name=self._path.name[:_NAME_CHARACTERS],
        )

    def _report(self, state: str) -> TaskProgress:
        elapsed_s = max(time.monotonic() - self._started, 1e-9)
        return TaskProgress(
            self.task,
            self._moved,
            max(self._size, self._moved),
            rate=self._moved / elapsed_s,
            started_us=self._started_us,
            state="completed" if state == "completed" else "running",
        )

    def _unreadable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"the file {self._path} cannot be read: {error.strerror}.")
