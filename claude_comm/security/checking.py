"""Whether an entry may be believed: who sealed it, and whether that key speaks for its source.

Law: total. Every entry gets a `Trust`; the reason of one that is not trusted is one of the list, whatever its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.security.keyring import Key, Keyring
from claude_comm.security.signing import KEY_ID_BYTES, BatchVerifier, Seal, Verify

Doubt: TypeAlias = Literal["unsigned", "unknown key", "key not valid", "another's name", "wrong signature"]
SENTENCES: Mapping[Doubt, str] = {
    "unsigned": "it has no signature.",
    "unknown key": "its key is not in the keyring; `claude-comm module add` puts one there.",
    "key not valid": "its key was revoked, over, or not yet valid when it was stored.",
    "another's name": "its key is another module's, which may not send in this one's name.",
    "wrong signature": "its signature does not fit: it was altered, or copied from another stream.",
}


class Doubted(msgspec.Struct, frozen=True):
    """Why an entry is not trusted, and the key that it names."""

    reason: Doubt
    key: bytes = b""

    @property
    def sentence(self) -> str:
        return SENTENCES[self.reason]


class EntryVerifier:
    """Checks entries against a keyring, which may be replaced at any time."""

    def __init__(self, keyring: Keyring, verify: Verify) -> None:
        self._batches = BatchVerifier(verify)
        self.replace(keyring)

    def replace(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._keys: dict[bytes, Key] = keyring.by_id()

    def holds(self, key: bytes, at_ms: int) -> bool:
        """Whether the keyring has that key, and it counted at that moment."""
        known = self._keys.get(key)
        return known is not None and known.holds(at_ms)

    def believed(
        self, stream: str, bodies: Sequence[bytes], seals: Sequence[Seal], source: str, stored_ms: int
    ) -> bool:
        """Whether these are a whole batch of that source, in its order, stored no later than at that moment: nearly all
        that is sent together is read together. False says nothing about each of them."""
        key = self._keys.get(seals[0].key)
        if key is None or key.holder != source or not key.holds(stored_ms):
            return False
        return self._batches.all_fit(key.public, stream, bodies, seals)

    def doubt(self, stream: str, body: bytes, seal: Seal | None, source: str, stored_ms: int) -> Doubted | None:
        """Why an envelope of that source, stored in that stream at that moment, is not trusted; None: it is.

        A service may speak for a module only in what it records about deliveries, on that module's events stream.
        """
        if seal is None:
            return Doubted("unsigned")
        if not seal.whole:
            return Doubted("wrong signature", seal.key[:KEY_ID_BYTES])
        key = self._keys.get(seal.key)
        if key is None:
            return Doubted("unknown key", seal.key)
        if not key.holds(stored_ms):
            return Doubted("key not valid", seal.key)
        if key.holder != source and not (key.role == "service" and stream.endswith(":events")):
            return Doubted("another's name", seal.key)
        if not self._batches.fits(key.public, stream, body, seal):
            return Doubted("wrong signature", seal.key)
        return None
