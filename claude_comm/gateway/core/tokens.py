"""Tokens of modules and services, as the keyring has them.

Law: a token counts while the key that it came with does, and no longer than two seconds after its revocation. What a
module may do is what its contract says, beside what the gateway was told to grant.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from claude_comm.client.identity import millis
from claude_comm.effects import Operation, Pause
from claude_comm.errors import ConfigurationError
from claude_comm.gateway.core.options import ANY, READ
from claude_comm.gateway.core.principals import Principal, scopes_of_module
from claude_comm.names import Keys
from claude_comm.ops import keyring as ops
from claude_comm.ops import registry
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.runtime import trusted_keys
from claude_comm.security.access import targets_of
from claude_comm.security.keyring import Key, Keyring, KeyringRefused
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import get_logger

RENEW_S = 2.0
# And how often unknown tokens make it look before that.
AGAIN_S = 0.05


class Tokens:
    """The holders of tokens. `why_none` says why there is none, where the keyring cannot be read at all."""

    def __init__(self, settings: Settings, grants: Mapping[str, tuple[str, ...]]) -> None:
        self._settings, self._grants, self._keys = settings, grants, Keys(settings.namespace)
        self._log = get_logger(settings.log_level, service="gateway")
        self.why_none = ""
        self._admin = b""
        self._keys_by_token: dict[bytes, Key] = {}
        self._mark, self._renew_at, self._again_at = b"", 0.0, 0.0
        # When the last look that ended had begun.
        self._seen_s = 0.0
        self._scopes: dict[str, tuple[frozenset[str], float]] = {}

    def __len__(self) -> int:
        return len(self._keys_by_token)

    def principal(self, token: str) -> Operation[Principal | None]:
        """Whose token that is; None for a token that does not count. Raises TransportError."""
        yield from self.renew()
        if not self._admin:
            return None
        from claude_comm.runtime.key_files import token_hash  # PyNaCl is an extra

        hashed = token_hash(token)
        if hashed not in self._keys_by_token:
            yield from self._look_since(time.monotonic())
        return (yield from self._holder(hashed))

    def still(self, principal: Principal) -> Operation[Principal | None]:
        """Whoever showed a token before, with the scopes of now; None where it counts no more. Raises
        TransportError."""
        if not principal.token:
            return principal
        yield from self.renew()
        return (yield from self._holder(principal.token))

    def _look_since(self, asked_s: float) -> Operation[None]:
        """Returns after a look at the keyring that began after this moment: an unknown token may have been made just
        before. All that are unknown share a look, so that guesses make no more than one each AGAIN_S."""
        while self._seen_s < asked_s:
            if (wait_s := self._again_at - time.monotonic()) > 0:
                yield Pause(wait_s)
                continue
            begun_s = time.monotonic()
            self._again_at, self._renew_at = begun_s + AGAIN_S, 0.0
            yield from self.renew()
            self._seen_s = max(self._seen_s, begun_s)

    def _holder(self, hashed: bytes) -> Operation[Principal | None]:
        key = self._keys_by_token.get(hashed)
        if key is None or not key.holds(millis()):
            return None
        if key.role == "service":
            scopes = frozenset((READ + ANY, *self._grants.get(key.holder, ())))
            return Principal(key.holder, scopes, is_module=False, token=hashed)
        return Principal(key.holder, (yield from self._scopes_of(key.holder)), token=hashed)

    def renew(self) -> Operation[None]:
        """Reads the keyring, where it is another than before and the last look is long ago."""
        if time.monotonic() < self._renew_at or not self.knows_admin():
            return
        mark = yield from ops.mark(self._keys)
        if mark != self._mark or not mark:
            stored = yield from ops.read(self._keys)
            try:
                self._replace(trusted_keys.newest(stored, self._settings, self._admin))
            except KeyringRefused as refusal:
                self._log.error("keyring.refused", why=str(refusal))
        self._mark = mark
        self._renew_at = time.monotonic() + RENEW_S

    def knows_admin(self) -> bool:
        """Whether signatures of the keyring can be checked; else `why_none` says why not. The first token of a
        namespace may be made while the gateway runs, and the admin's key with it."""
        if not self._admin:
            try:
                self._admin, self.why_none = trusted_keys.admin_public(self._settings), ""
            except ConfigurationError as error:
                self.why_none = str(error)
        return bool(self._admin)

    def _replace(self, keyring: Keyring) -> None:
        self._keys_by_token = {key.token: key for key in keyring.keys if key.token and not key.revoked_ms}

    def _scopes_of(self, module: str) -> Operation[frozenset[str]]:
        scopes, until_s = self._scopes.get(module, (frozenset(), 0.0))
        if time.monotonic() >= until_s:
            targets, topics = yield from partners(self._keys, module)
            scopes = scopes_of_module(module, targets, topics, self._grants.get(module, ()))
            self._scopes[module] = scopes, time.monotonic() + RENEW_S
        return scopes


def partners(keys: Keys, module: str) -> Operation[tuple[list[str], list[str]]]:
    """Whom a module sends to and which topics it reads, by its contracts; anybody and none, where it has none."""
    try:
        record = yield from registry.record(keys, module)
    except UnreadableContract:
        record = None
    releases = record.live() if record else []
    targets = targets_of(sent.target for release in releases for sent in release.produces)
    topics = sorted({topic for release in releases for topic in release.topics})
    return (targets if releases else [ANY]), topics
