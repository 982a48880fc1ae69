"""The command `forget`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.errors import UnknownModule
from claude_comm.names import Keys, check_name
from claude_comm.ops import registry
from claude_comm.ops.forget import Forgotten, forget
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect

if TYPE_CHECKING:
    from claude_comm.transport.driver import Client


def command(
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE",
            help="A module that will not come back, or a mistyped name.",
            autocompletion=completions.modules,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be deleted, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything that the server keeps of a module.

    It deletes the inbox with its messages, delayed and buried messages, events, the contract and the subscriptions.
    This cannot be undone. What a projection has stored stays in the database. A module with running instances is not
    removed (exit code 1).
    """
    settings = settings_of_process()
    keys = Keys(settings.namespace)
    check_name(module)
    with connect(settings) as client:
        work = partial(_forgotten, client, keys, module, dry_run)
        forgotten = work() if dry_run else recorded(client, keys, act("forget", module, user_of_process()), work, _gone)
    if as_json:
        emit_json({"module": module, **{name: getattr(forgotten, name) for name in Forgotten.__struct_fields__}})
        return
    say(f"{module} {'would be' if dry_run else 'is'} forgotten: {_gone(forgotten)}.")


def _forgotten(client: Client, keys: Keys, module: str, dry_run: bool) -> Forgotten:
    forgotten = client.run(forget(keys, module, now_ms=time.time_ns() // 1_000_000, dry_run=dry_run))
    if forgotten.nothing:
        raise UnknownModule(module, client.run(registry.names(keys)))
    return forgotten


def _gone(forgotten: Forgotten) -> str:
    topics = f", subscriptions to {', '.join(forgotten.topics)}" if forgotten.topics else ""
    return (
        f"{forgotten.inbox:,} messages in its inbox, {forgotten.later:,} that wait, {forgotten.dead:,} buried, "
        f"{forgotten.events:,} events{topics}"
    )
