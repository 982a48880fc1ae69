"""The command `unsubscribe`."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.names import Keys, check_name
from claude_comm.ops import subscriptions
from claude_comm.ops.subscriptions import Left
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect


def command(
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE",
            help="The module that no longer reads the topic.",
            autocompletion=completions.modules,
        ),
    ],
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic, without `topic:`.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what the module has not read, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a module's subscription to a topic.

    The stream keeps every message that a subscriber has not read, so a module that never comes back would hold it for
    ever. Once the subscription is removed, the janitor trims what all other subscribers have acked. A module with
    running instances keeps its subscription (exit code 1). A module that subscribes again reads what the stream still
    holds.
    """
    settings, now_ms = settings_of_process(), time.time_ns() // 1_000_000
    keys = Keys(settings.namespace)
    check_name(module)
    check_name(topic, "topic")
    with connect(settings) as client:
        leaving = subscriptions.unsubscribe(keys, module, topic, now_ms=now_ms, dry_run=dry_run)
        work = partial(client.run, leaving)
        left = (
            work()
            if dry_run
            else recorded(client, keys, act("unsubscribe", module, user_of_process(), topic), work, _unread)
        )
    if as_json:
        emit_json({"module": module, "topic": topic, "unread": left.unread, "pending": left.pending})
        return
    done = f"{module} would leave topic {topic}" if dry_run else f"{module} has left topic {topic}"
    say(f"{done}: {_unread(left)}.")


def _unread(left: Left) -> str:
    count = f"{left.unread.entries:,}" if left.unread.exact else f"at least {left.unread.entries:,}"
    return f"not read {count}, read and not finished {left.pending:,}"
