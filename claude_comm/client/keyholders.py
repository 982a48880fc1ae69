"""Who may sign in a namespace, as the admin changes it: keys are added, replaced with an overlap, and revoked.

Law: the keyring is changed by comparing and replacing the whole of it: two admins at once lose nothing of each other.
The admin's private key is only in the admin's home; a module needs its own private key and the admin's public one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from claude_comm.errors import ConfigurationError, NotFound
from claude_comm.names import Keys, check_name
from claude_comm.ops import keyring as ops
from claude_comm.ops.projection_progress import clock
from claude_comm.runtime import key_files
from claude_comm.runtime.key_files import KeyPair
from claude_comm.runtime.trusted_keys import admin_pair, admin_public, newest
from claude_comm.security import keyring as keyrings
from claude_comm.security.keyring import Key, Keyring, Role
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


class Added(NamedTuple):
    """A new key, the private half of it, and the token that is shown once."""

    key: Key
    pair: KeyPair
    token: str


class UnknownKey(NotFound):
    """No such key, or no key of such a module, is in the keyring, or it is revoked already."""

    def __init__(self, named: str) -> None:
        super().__init__(
            f"no key {named!r} is there to be revoked. `claude-comm keys` lists all, revoked ones as well."
        )


def current(client: Client, settings: Settings) -> Keyring:
    """The keyring that the admin signed; an empty one where there is none yet. Raises KeyringRefused."""
    return newest(client.run(ops.read(Keys(settings.namespace))), settings, admin_public(settings))


def add(
    client: Client, settings: Settings, holder: str, *, role: Role = "module", valid_ms: int = 0, overlap_ms: int = 0
) -> Added:
    """Makes a key for a module or a service; where it has one, the older ones end after the overlap.

    The first key of a namespace makes the admin's as well. Raises ConfigurationError or KeyringRefused.
    """
    check_name(holder)
    if holder == key_files.ADMIN:
        raise ConfigurationError("`admin` names the admin's own key; give the module another name.")
    admin = _made_admin(client, settings)
    pair = key_files.make_pair()
    token, hashed = key_files.make_token()
    now_ms = client.run(clock())
    until_ms = now_ms + valid_ms if valid_ms else 0
    key = Key(holder=holder, public=pair.public, role=role, since_ms=now_ms, until_ms=until_ms, token=hashed)

    def with_key(keyring: Keyring) -> Keyring:
        ended = tuple(
            _ending(other, now_ms + overlap_ms) if other.holder == holder else other for other in keyring.keys
        )
        return keyring.changed((*ended, key))

    _change(client, settings, admin, with_key)
    return Added(key, pair, token)


def revoke(client: Client, settings: Settings, named: str) -> list[Key]:
    """Revokes a key by its id, or all keys of a module: what they sign from now on counts for nothing. The keys that
    were revoked. Raises UnknownKey."""
    now_ms = client.run(clock())
    revoked: list[Key] = []

    def without(keyring: Keyring) -> Keyring:
        meant = [key for key in keyring.keys if named in (key.holder, key.id.hex()) and not key.revoked_ms]
        if not meant:
            raise UnknownKey(named)
        revoked[:] = [msgspec.structs.replace(key, revoked_ms=now_ms) for key in meant]
        by_id = {key.id: key for key in revoked}
        return keyring.changed(by_id.get(key.id, key) for key in keyring.keys)

    _change(client, settings, admin_pair(settings), without)
    return revoked


def unable(client: Client, settings: Settings, services: Sequence[str]) -> dict[str, str]:
    """The services that cannot sign in this home, each with the reason: nobody would believe what they write.

    Raises ConfigurationError or KeyringRefused.
    """
    paths = {name: Path(settings.key_file or key_files.path_of(settings.home, name)) for name in services}
    if not any(path.exists() for path in paths.values()):
        # Then nobody may have made the admin's key either, which the first `module add` does.
        return {name: f"there is no key in {path}" for name, path in paths.items()}
    known, now_ms = current(client, settings).by_id(), client.run(clock())
    reasons = {name: _unable(path, known, now_ms) for name, path in paths.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _unable(path: Path, known: Mapping[bytes, Key], now_ms: int) -> str:
    """Why a service cannot sign with the key in that file; "" where it can."""
    if not path.exists():
        return f"there is no key in {path}"
    key = known.get(key_files.load(path).signer().key_id)
    if key is None:
        return f"the keyring does not have the key in {path}"
    if key.role != "service":
        return f"the key in {path} is one of a module, made without --service"
    return "" if key.holds(now_ms) else f"the key in {path} was revoked, or is over"


def _ending(key: Key, end_ms: int) -> Key:
    return msgspec.structs.replace(key, until_ms=min(key.until_ms or end_ms, end_ms))


def _made_admin(client: Client, settings: Settings) -> KeyPair:
    """The admin's keys, made where the namespace has no keyring yet."""
    path = key_files.path_of(settings.home, key_files.ADMIN)
    if not path.exists():
        if client.run(ops.read(Keys(settings.namespace))) is not None:
            raise ConfigurationError(
                f"the namespace {settings.namespace} has an admin already, whose key is not in {path}. Run this in the "
                "admin's home, or copy the key there."
            )
        key_files.save(path, key_files.make_pair())
    return key_files.load(path)


def _change(client: Client, settings: Settings, admin: KeyPair, alter: Callable[[Keyring], Keyring]) -> None:
    keys, sign = Keys(settings.namespace), admin.signer().sign
    while True:
        stored = client.run(ops.read(keys))
        document = keyrings.seal(alter(newest(stored, settings, admin.public)), sign)
        if client.run(ops.replace(keys, stored, document)):
            key_files.remember(settings.home, settings.namespace, document)
            return
