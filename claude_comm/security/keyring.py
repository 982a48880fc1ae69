"""The keyring: which key may speak for whom, and until when; one document, signed by the admin's key.

Law: what is not in a keyring that the admin signed speaks for nobody. Whoever can write to the registry can take the
keyring away or put an older one back, but cannot make another one, and a process that has seen a keyring refuses any
older one.

It is one document, and not one entry per module: a revocation cannot be undone by leaving its entry out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

import msgspec

from claude_comm.envelope import UNREADABLE
from claude_comm.errors import ClaudeCommError
from claude_comm.security.signing import SIGNATURE_BYTES, Sign, Verify, key_id

PUBLIC_KEY_BYTES = 32
_DOMAIN = b"claude-comm keyring 1\x00"
# How much of a stored keyring holds its signature.
SIGNED_BYTES = SIGNATURE_BYTES + 3

Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=10**16)]
# `service` keys are those of workers: they record positions and agreements, and speak as no module.
Role: TypeAlias = Literal["module", "service"]


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A public key, and what it may be used for. Times are milliseconds since the epoch; 0 is no such time."""

    holder: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    public: Annotated[bytes, msgspec.Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]
    role: Role = "module"
    since_ms: Millis = 0
    until_ms: Millis = 0
    revoked_ms: Millis = 0
    # SHA-256 of the token that the holder shows to a gateway; empty where it has none.
    token: Annotated[bytes, msgspec.Meta(max_length=32)] = b""

    @property
    def id(self) -> bytes:
        return key_id(self.public)

    def holds(self, at_ms: int) -> bool:
        """Whether what was stored at that moment counts: a key that is revoked or over keeps what it signed before."""
        end = min((moment for moment in (self.until_ms, self.revoked_ms) if moment), default=0)
        return self.since_ms <= at_ms and not (end and at_ms >= end)


class Keyring(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All keys of a namespace. `serial` rises with each change."""

    namespace: str
    serial: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    keys: tuple[Key, ...] = ()

    def by_id(self) -> dict[bytes, Key]:
        return {key.id: key for key in self.keys}

    def with_key(self, key: Key) -> Keyring:
        """The next keyring, with this key as well; or in the place of the one with its id."""
        others = tuple(other for other in self.keys if other.public != key.public)
        return self.changed((*others, key))

    def changed(self, keys: Iterable[Key]) -> Keyring:
        return msgspec.structs.replace(self, serial=self.serial + 1, keys=tuple(keys))


class SignedKeyring(msgspec.Struct, frozen=True, array_like=True):
    """A keyring as it is stored: its bytes, and the admin's signature of them. The signature stands first, so that it
    can be read without the rest: while it is the same, so is the keyring."""

    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
    document: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_signed = msgspec.msgpack.Decoder(SignedKeyring).decode
_decode = msgspec.msgpack.Decoder(Keyring).decode


def seal(keyring: Keyring, sign: Sign) -> bytes:
    """The keyring as it is stored."""
    document = _encode(keyring)
    return _encode(SignedKeyring(sign(_DOMAIN + document), document))


class KeyringRefused(ClaudeCommError):
    """What stands in the keyring's place cannot be believed, with the reason."""


def unseal(stored: bytes, admin: bytes, verify: Verify, *, namespace: str) -> Keyring:
    """The keyring that is stored so. Raises KeyringRefused."""
    try:
        signed = _decode_signed(stored)
    except UNREADABLE:
        raise KeyringRefused("what stands in the keyring's place is no signed keyring.") from None
    if not verify(admin, _DOMAIN + signed.document, signed.signature):
        raise KeyringRefused("the keyring is not signed by the admin's key.")
    try:
        keyring = _decode(signed.document)
    except UNREADABLE as error:
        raise KeyringRefused(f"the keyring cannot be read: {error}.") from None
    if keyring.namespace != namespace:
        raise KeyringRefused(f"the keyring is one of the namespace {keyring.namespace!r}.")
    return keyring


def newest(
    candidates: Iterable[bytes | None], admin: bytes, verify: Verify, *, namespace: str
) -> tuple[Keyring, bytes]:
    """The latest of the documents that can be believed, as it is stored; an empty keyring, and no bytes, where there is
    no document at all. Raises KeyringRefused where there are some, and none of them can be believed."""
    best, refused = (Keyring(namespace=namespace), b""), None
    for stored in candidates:
        if stored is None:
            continue
        try:
            keyring = unseal(stored, admin, verify, namespace=namespace)
        except KeyringRefused as refusal:
            refused = refusal
            continue
        if not best[1] or keyring.serial > best[0].serial:
            best = keyring, stored
    if not best[1] and refused is not None:
        raise refused
    return best
