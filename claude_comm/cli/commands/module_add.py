"""The command `module add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import durations
from claude_comm.cli.options import AsJson
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, say
from claude_comm.transport.connect import connect


def command(
    module: Annotated[str, typer.Argument(metavar="NAME", help="A module, or a worker with --service.")],
    service: Annotated[
        bool, typer.Option("--service", help="A key for a worker, which cannot send as a module.")
    ] = False,
    valid: Annotated[
        str, typer.Option("--valid", metavar="TIME", help="How long the key may sign; by default for ever.")
    ] = "",
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="TIME", help="How long the module's earlier keys may still sign.")
    ] = "1d",
    key_file: Annotated[
        str, typer.Option("--key-file", metavar="FILE", help="File for the private key; by default in the home folder.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key and a token for a module, and let it sign.

    The first key of a namespace also makes the admin's key, in this home. Keep that: only it can change the keyring.
    The private key goes into a file that only this user can read. The token, which gateways accept for the module, is
    printed once and stored nowhere. A second run for the same module makes the next key; its earlier keys end after the
    overlap.
    """
    from claude_comm.client import keyholders
    from claude_comm.runtime import key_files, trusted_keys

    settings = settings_of_process()
    path = Path(key_file) if key_file else key_files.path_of(settings.home, module)
    with connect(settings) as client:
        added = keyholders.add(
            client,
            settings,
            module,
            role="service" if service else "module",
            valid_ms=int(durations.seconds(valid) * 1000) if valid else 0,
            overlap_ms=int(durations.seconds(overlap) * 1000),
        )
    key_files.save(path, added.pair)
    admin = key_files.public_text(trusted_keys.admin_public(settings))
    if as_json:
        document = {"module": module, "key": added.key.id.hex(), "key_file": str(path)}
        emit_json({**document, "token": added.token, "admin_public_key": admin})
        return
    emit(f"key              {added.key.id.hex()}")
    emit(f"private key      {path}")
    emit(f"token            {added.token}")
    emit(f"admin public key {admin}")
    say("The token is shown this once. Where the module runs in another home, give it the file as")
    say("CLAUDE_COMM_KEY_FILE and the admin's public key as CLAUDE_COMM_ADMIN_PUBLIC_KEY.")
