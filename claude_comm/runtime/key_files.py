"""Private keys: made, kept and used on this machine, with PyNaCl's Ed25519.

Law: a private key is in a file that its user alone can read, never in an address, an argument or a message. A file that
others may read is refused, as ssh does it. What is read is never shown: errors name the file, not what stands in it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name
from claude_comm.runtime.home import make_private_folders, private_folder
from claude_comm.security.keyring import PUBLIC_KEY_BYTES
from claude_comm.security.signing import SIGNATURE_BYTES, Signer, key_id

try:
    from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
    from nacl.exceptions import CryptoError
except ModuleNotFoundError:
    raise ConfigurationError(
        "signing needs PyNaCl, which is not installed: pip install 'claude-comm[security]'."
    ) from None

ADMIN = "admin"
SEED_BYTES = 32
TOKEN_PREFIX = "ccm_"
_TOKEN_BYTES = 32
_HEADER = "claude-comm-private-key-1 "
_GROUP_OR_OTHERS = 0o077
# More than a key has: a file of another kind is not read whole.
_MAX_FILE_BYTES = 1024


class KeyPair(NamedTuple):
    """A private key as its 32 random bytes, and the public one."""

    seed: bytes
    public: bytes

    def __repr__(self) -> str:
        return f"KeyPair({key_id(self.public).hex()})"

    def signer(self) -> Signer:
        _, secret = crypto_sign_seed_keypair(self.seed)
        return Signer(key_id(self.public), lambda message: crypto_sign(message, secret)[:SIGNATURE_BYTES])


def make_pair() -> KeyPair:
    return _pair(os.urandom(SEED_BYTES))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether that key signed the message so. Total."""
    if len(public) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public)
    except CryptoError:
        return False
    return True


def folder(home: Path) -> Path:
    return home / "keys"


def path_of(home: Path, holder: str) -> Path:
    return folder(home) / f"{check_name(holder)}.key"


def save(path: Path, pair: KeyPair) -> None:
    """Writes a private key for this user alone; whole, or not at all. Raises ConfigurationError."""
    make_private_folders(path.parent)
    private_folder(path.parent)
    text = _HEADER + base64.b64encode(pair.seed).decode() + "\n"
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(f"the key {path} cannot be written: {error.strerror}.") from None


def load(path: Path) -> KeyPair:
    """The key in that file. Raises ConfigurationError, which never shows what the file holds."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            f"the private key {path} cannot be read: {error.strerror}. `claude-comm module add` makes one."
        ) from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & _GROUP_OR_OTHERS or status.st_uid not in (os.getuid(), 0):
            raise ConfigurationError(f"others can read the private key {path}. Run `chmod 600 {path}`.")
        text = file.read(_MAX_FILE_BYTES)
    try:
        return _pair(base64.b64decode(text.decode("ascii").removeprefix(_HEADER).strip(), validate=True))
    except ValueError:
        raise ConfigurationError(f"the file {path} is no private key of claude-comm.") from None


def make_token() -> tuple[str, bytes]:
    """A new token, 256 random bits, and the hash of it that is kept: the token itself is shown once and never stored.

    So many bits need no slow hash: nobody tries them all.
    """
    token = TOKEN_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode().rstrip("=")
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def public_text(public: bytes) -> str:
    """A public key as it is written in settings: it is no secret."""
    return base64.b64encode(public).decode()


def parse_public(text: str) -> bytes:
    """The public key that is written so. Raises ConfigurationError."""
    try:
        public = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        public = b""
    if len(public) != PUBLIC_KEY_BYTES:
        raise ConfigurationError(
            "admin_public_key is no public key: `claude-comm keys` shows the one of the namespace, 44 characters."
        )
    return public


def _pair(seed: bytes) -> KeyPair:
    if len(seed) != SEED_BYTES:
        raise ValueError("a private key has 32 bytes")
    public, _ = crypto_sign_seed_keypair(seed)
    return KeyPair(seed, public)


def remembered(home: Path, namespace: str) -> bytes | None:
    """The last keyring of the namespace that this home has seen; what is taken away on the server is still here."""
    try:
        return _keyring_path(home, namespace).read_bytes()
    except OSError:
        return None


def remember(home: Path, namespace: str, stored: bytes) -> None:
    """Keeps a keyring that was believed. A home that cannot be written keeps nothing: then only a living process knows
    that an older one is not to be believed."""
    path = _keyring_path(home, namespace)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_private_folders(path.parent)
        part.write_bytes(stored)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def _keyring_path(home: Path, namespace: str) -> Path:
    return folder(home) / f"{check_name(namespace, 'namespace')}.keyring"
