"""The command `forget`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.errors import UnknownModule
from claude_comm.names import Keys, check_name
from claude_comm.ops import registry
from claude_comm.ops.forget import Forgotten, forget
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect


def command(
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE",
            help="A module that will not come back, or a mistyped name.",
            autocompletion=completions.modules,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything that the server keeps of a module.

    Its inbox and what waits in it, delayed and buried messages, its events, its contract and its subscriptions are
    deleted for good; what a projection has stored of them stays in the database. A module with running instances is
    refused (exit code 1).
    """
    settings, now_ms = settings_of_process(), time.time_ns() // 1_000_000
    keys = Keys(settings.namespace)
    check_name(module)
    with connect(settings) as client:
        forgotten = client.run(forget(keys, module, now_ms=now_ms, dry_run=dry_run))
        if forgotten.nothing:
            raise UnknownModule(module, client.run(registry.names(keys)))
    if as_json:
        emit_json({"module": module, **{name: getattr(forgotten, name) for name in Forgotten.__struct_fields__}})
        return
    topics = f", subscriptions to {', '.join(forgotten.topics)}" if forgotten.topics else ""
    say(
        f"{module} {'would be' if dry_run else 'is'} forgotten: {forgotten.inbox:,} messages in its inbox, "
        f"{forgotten.later:,} that wait, {forgotten.dead:,} buried, {forgotten.events:,} events{topics}."
    )
