"""Chunks as objects of a bucket, by URL: S3, Google Cloud, Azure, or a folder (`file://`), through obstore.

Law: as of `store`. A chunk is put only where it is not there yet, and its size is looked at afterwards: some stores do
not keep to that. An object cannot be renewed in its place: using one that is old copies it, so that its time is new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from claude_comm.addresses import public
from claude_comm.blobs.manifest import DIGEST_BYTES, digest_of
from claude_comm.blobs.store import Stored
from claude_comm.errors import BlobDamaged, BlobMissing, ConfigurationError, StoreError

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
    from obstore.store import from_url
except ModuleNotFoundError:
    raise ConfigurationError(
        "a blob store by URL needs obstore, which is not installed: pip install 'claude-comm[blobs]'."
    ) from None

_CHUNKS, _TRASH = "chunks", "trash"
# Half of the day for which a collection keeps what was put.
_RENEW_S = 12 * 3600.0
_LISTED = 1_000
# A bucket that is not there is a file that is not found.
_UNUSABLE = (BaseError, OSError)


class UrlStore:
    """Objects `chunks/ab/abcd…` by their digest in hexadecimal; those put aside are `trash/abcd…`."""

    def __init__(self, url: str, store: Any = None) -> None:
        """`store` is an obstore store, for tests. Raises ConfigurationError."""
        self._url = public(url)
        try:
            self._store = from_url(url) if store is None else store
        except (BaseError, ValueError, TypeError):
            raise ConfigurationError(f"blob_store: {self._url} is no address of a store that obstore knows.") from None

    def has(self, digest: bytes) -> bool:
        try:
            facts = obstore.head(self._store, _path(digest))
        except (NotFoundError, FileNotFoundError):
            return self._recovered(digest)
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        if time.time() - facts["last_modified"].timestamp() > _RENEW_S:
            self._renew(digest)
        return True

    def put(self, digest: bytes, chunk: bytes | memoryview) -> None:
        if self.has(digest):
            return
        try:
            obstore.put(self._store, _path(digest), bytes(chunk), mode="create", use_multipart=False)
        except (AlreadyExistsError, FileExistsError):
            return
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        if self._size(digest) != len(chunk):
            raise StoreError(f"{self._url} did not keep what was put into it.")

    def get(self, digest: bytes) -> bytes:
        try:
            chunk = bytes(obstore.get(self._store, _path(digest)).bytes())
        except (NotFoundError, FileNotFoundError):
            if not self._recovered(digest):
                raise BlobMissing(digest.hex()) from None
            return self.get(digest)
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        if digest_of(chunk) != digest:
            raise BlobDamaged(digest.hex())
        return chunk

    def chunks(self) -> Iterator[Stored]:
        for facts in self._listed(_CHUNKS):
            name = facts["path"].rpartition("/")[2]
            if len(name) == 2 * DIGEST_BYTES:
                yield Stored(bytes.fromhex(name), facts["size"], facts["last_modified"].timestamp())

    def discard(self, digest: bytes, *, before: float | None = None) -> bool:
        try:
            if before is not None and self._put_at(digest) >= before:
                return False
            obstore.copy(self._store, _path(digest), _in_trash(digest))
            obstore.delete(self._store, _path(digest))
        except (NotFoundError, FileNotFoundError):
            return False
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        return True

    def empty_trash(self, before: float) -> int:
        old = [facts["path"] for facts in self._listed(_TRASH) if facts["last_modified"].timestamp() < before]
        try:
            for start in range(0, len(old), _LISTED):
                obstore.delete(self._store, old[start : start + _LISTED])
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        return len(old)

    def _listed(self, folder: str) -> Iterator[Any]:
        try:
            for page in obstore.list(self._store, folder, chunk_size=_LISTED):
                yield from page
        except _UNUSABLE as error:
            raise self._unusable(error) from None

    def _put_at(self, digest: bytes) -> float:
        return float(obstore.head(self._store, _path(digest))["last_modified"].timestamp())

    def _size(self, digest: bytes) -> int:
        try:
            return int(obstore.head(self._store, _path(digest))["size"])
        except _UNUSABLE as error:
            raise self._unusable(error) from None

    def _renew(self, digest: bytes) -> None:
        """Copied away and back: a copy onto itself is refused by some stores."""
        try:
            obstore.copy(self._store, _path(digest), _in_trash(digest))
            obstore.copy(self._store, _in_trash(digest), _path(digest))
        except _UNUSABLE as error:
            raise self._unusable(error) from None

    def _recovered(self, digest: bytes) -> bool:
        """Takes the chunk back out of the trash, since it is still in use; whether it was there."""
        try:
            obstore.copy(self._store, _in_trash(digest), _path(digest))
        except (NotFoundError, FileNotFoundError):
            return False
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        return True

    def _unusable(self, error: Exception) -> StoreError:
        # Its text may hold the address whole, with what logs in.
        return StoreError(f"the chunks in {self._url} cannot be used: {type(error).__name__}.")


def _path(digest: bytes) -> str:
    name = digest.hex()
    return f"{_CHUNKS}/{name[:2]}/{name}"


def _in_trash(digest: bytes) -> str:
    return f"{_TRASH}/{digest.hex()}"
