"""The keyring as one process knows it: read from the server where it changed, and never older than a few seconds.

Law: what is decided rests on a keyring that the admin signed, and on none older than one that this home has seen.
"""

from __future__ import annotations

import time

from claude_comm.effects import Operation
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.ops import keyring as ops
from claude_comm.runtime import key_files
from claude_comm.runtime.key_files import KeyPair
from claude_comm.security import keyring as keyrings
from claude_comm.security.checking import Attested, EntryVerifier
from claude_comm.security.keyring import Keyring, KeyringRefused
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import EventLog, get_logger

# How old the keyring may be that a decision rests on (seconds): a revocation takes effect within it.
RENEW_S = 2.0
# Of at most so many fields it is remembered that they were checked: of a position, some hundred bytes each.
_REMEMBERED = 20_000


class TrustedKeys:
    """Who may speak for whom, by now. Raises ConfigurationError where the admin's public key is not known."""

    def __init__(self, settings: Settings, log: EventLog | None = None) -> None:
        self._settings, self._admin = settings, admin_public(settings)
        self._keys = Keys(settings.namespace)
        self.verifier = EntryVerifier(Keyring(namespace=settings.namespace), key_files.verify)
        self._renew_at, self._mark = 0.0, b""
        self._log = log or get_logger(settings.log_level)
        self._attested: dict[tuple[str, bytes], tuple[bytes, Attested]] = {}

    def renew(self) -> Operation[None]:
        """Reads the keyring where it is another than before, if it is time. Raises TransportError."""
        if time.monotonic() < self._renew_at:
            return
        mark = yield from ops.mark(self._keys)
        if mark != self._mark or not mark:
            stored = yield from ops.read(self._keys)
            try:
                self.verifier.replace(newest(stored, self._settings, self._admin))
            except KeyringRefused as refusal:
                self._log.error("keyring.refused", why=str(refusal))
        self._mark = mark
        self._attested.clear()
        self._renew_at = time.monotonic() + RENEW_S

    def attested(self, key: str, field: bytes, stored: bytes) -> Attested | None:
        """What stands there, and with whose key it was signed; None where it was not."""
        known = self._attested.get((key, field))
        if known is not None and known[0] == stored:
            return known[1]
        attested = self.verifier.attested(key, field, stored, time.time_ns() // 1_000_000)
        if attested is not None and len(self._attested) < _REMEMBERED:
            self._attested[key, field] = stored, attested
        return attested

    def of_service(self, key: str, field: bytes, stored: bytes) -> bytes | None:
        """What a service wrote there; None for what somebody else did."""
        attested = self.attested(key, field, stored)
        return attested.value if attested is not None and attested.key.role == "service" else None


def admin_pair(settings: Settings) -> KeyPair:
    """The admin's keys, in this home. Raises ConfigurationError."""
    return key_files.load(key_files.path_of(settings.home, key_files.ADMIN))


def admin_public(settings: Settings) -> bytes:
    """The admin's public key, from the settings, or from this home where the admin's keys are. Raises
    ConfigurationError."""
    if settings.admin_public_key:
        return key_files.parse_public(settings.admin_public_key)
    if not key_files.path_of(settings.home, key_files.ADMIN).exists():
        raise ConfigurationError(
            "the admin's public key is not known here: set CLAUDE_COMM_ADMIN_PUBLIC_KEY (`audit --file` takes --admin "
            "KEY), or make the first keys with `claude-comm module add`."
        )
    return admin_pair(settings).public


def newest(stored: bytes | None, settings: Settings, admin: bytes) -> Keyring:
    """The later one of what stands on the server and what this home saw last: somebody may have put an older one back,
    or taken it away."""
    seen = key_files.remembered(settings.home, settings.namespace)
    keyring, document = keyrings.newest((stored, seen), admin, key_files.verify, namespace=settings.namespace)
    if document and document != seen:
        key_files.remember(settings.home, settings.namespace, document)
    return keyring


def service_signer(settings: Settings, *names: str) -> Signer | None:
    """The key of the first of these services that this home has; None where it has none, or nothing is signed."""
    if settings.signing == "off":
        return None
    for name in names:
        path = key_files.path_of(settings.home, name)
        if path.exists():
            return key_files.load(path).signer()
    return None
