"""The command `unsubscribe`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.names import Keys, check_name
from claude_comm.ops import subscriptions
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect


def unsubscribe(
    module: Annotated[str, typer.Argument(metavar="MODULE", help="A module that will not come back.")],
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic that it read, without `topic:`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it had not read, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a module that will not come back off a topic.

    What it has not read holds the topic's stream for ever, for it; afterwards the janitor trims what all others that
    read the topic have acked. A module that has instances running is refused (exit code 1). One that comes back all the
    same reads what is still there.
    """
    settings, now_ms = settings_of_process(), time.time_ns() // 1_000_000
    keys = Keys(settings.namespace)
    check_name(module)
    check_name(topic, "topic")
    with connect(settings) as client:
        left = client.run(subscriptions.unsubscribe(keys, module, topic, now_ms=now_ms, dry_run=dry_run))
    if as_json:
        emit_json({"module": module, "topic": topic, "unread": left.unread, "pending": left.pending})
        return
    count = f"{left.unread.entries:,}" if left.unread.exact else f"at least {left.unread.entries:,}"
    done = f"{module} would leave topic {topic}" if dry_run else f"{module} has left topic {topic}"
    say(f"{done}: not read {count}, read and not finished {left.pending:,}.")
