"""Keys and keyrings for tests."""

from __future__ import annotations

from claude_comm.runtime.key_files import KeyPair, make_pair
from claude_comm.security.keyring import Key, Keyring, Role


def key_of(holder: str, role: Role = "module", **times: int) -> tuple[KeyPair, Key]:
    pair = make_pair()
    return pair, Key(holder=holder, public=pair.public, role=role, **times)


def keyring_of(*keys: Key, namespace: str = "comm", serial: int = 1) -> Keyring:
    return Keyring(namespace=namespace, serial=serial, keys=keys)
