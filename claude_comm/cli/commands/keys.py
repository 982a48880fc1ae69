"""The command `keys`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.runtime.environment import settings_of_process
from claude_comm.security.keyring import Key
from claude_comm.terminal.formats import moments
from claude_comm.terminal.output import emit, emit_json, emit_table, say
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

_COLUMNS: Columns = [
    Column("key", "whole"),
    Column("holder", least=20),
    Column("role", "whole", rank=2),
    Column("state", "whole"),
    Column("since", "whole", rank=1),
    Column("until", "whole"),
]


def command(as_json: AsJson = False) -> None:
    """List the keys that may sign in this namespace.

    It shows only keys that the admin signed. Give the admin's public key to other homes, as
    CLAUDE_COMM_ADMIN_PUBLIC_KEY.
    """
    from claude_comm.client import keyholders
    from claude_comm.runtime import trusted_keys
    from claude_comm.runtime.key_files import public_text

    settings = settings_of_process()
    admin = public_text(trusted_keys.admin_public(settings))
    with connect(settings) as client:
        keyring = keyholders.current(client, settings)
    now_ms = millis()
    if as_json:
        emit_json(
            {
                "admin_public_key": admin,
                "serial": keyring.serial,
                "keys": [as_document(k, now_ms) for k in keyring.keys],
            }
        )
        return
    emit(f"admin public key {admin}")
    if not keyring.keys:
        say("no key may sign yet: `claude-comm module add NAME` makes one.")
        return
    emit_table(_COLUMNS, _rows(keyring.keys, now_ms))


def as_document(key: Key, now_ms: int) -> dict[str, object]:
    """A key as JSON; times in milliseconds since the epoch, null for none."""
    return {
        "key": key.id.hex(),
        "holder": key.holder,
        "role": key.role,
        "state": state(key, now_ms),
        "since_ms": key.since_ms,
        "until_ms": key.until_ms or None,
        "revoked_ms": key.revoked_ms or None,
    }


def state(key: Key, now_ms: int) -> str:
    if key.revoked_ms:
        return "revoked"
    return "valid" if key.holds(now_ms) else "over"


def _rows(keys: Sequence[Key], now_ms: int) -> Iterator[list[object]]:
    since = moments([key.since_ms * 1000 for key in keys])
    ends_ms = [key.revoked_ms or key.until_ms for key in keys]
    until = iter(moments([end_ms * 1000 for end_ms in ends_ms if end_ms]))
    for key, start, end_ms in zip(keys, since, ends_ms, strict=True):
        yield [key.id.hex(), key.holder, key.role, state(key, now_ms), start, next(until) if end_ms else "-"]
