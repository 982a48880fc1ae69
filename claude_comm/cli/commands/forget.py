"""The command `forget`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.errors import UnknownModule, UnknownTopic
from claude_comm.names import TOPIC_PREFIX, Keys, check_target
from claude_comm.ops import follow, registry
from claude_comm.ops.forget import Forgotten, ForgottenTopic, forget, forget_topic
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect

if TYPE_CHECKING:
    from claude_comm.transport.driver import Client


def command(
    module: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A module that will not come back, a mistyped name, or topic:NAME.",
            autocompletion=completions.modules,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be deleted, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything that the server keeps of a module or a topic.

    It deletes the inbox with its messages, delayed and buried messages, events, the contract and the subscriptions.
    This cannot be undone. What a projection has stored stays in the database. A module with running instances is not
    removed (exit code 1), and neither is a topic that a module reads: see `unsubscribe`.
    """
    settings = settings_of_process()
    keys = Keys(settings.namespace)
    check_target(module)
    with connect(settings) as client:
        work = partial(_forgotten, client, keys, module, dry_run)
        forgotten = work() if dry_run else recorded(client, keys, act("forget", module, user_of_process()), work, _gone)
    if as_json:
        kind = "topic" if isinstance(forgotten, ForgottenTopic) else "module"
        emit_json({kind: module.removeprefix(TOPIC_PREFIX), **msgspec.structs.asdict(forgotten)})
        return
    say(f"{module} {'would be' if dry_run else 'is'} forgotten: {_gone(forgotten)}.")


def _forgotten(client: Client, keys: Keys, name: str, dry_run: bool) -> Forgotten | ForgottenTopic:
    now_ms = time.time_ns() // 1_000_000
    if name.startswith(TOPIC_PREFIX):
        return _forgotten_topic(client, keys, name.removeprefix(TOPIC_PREFIX), now_ms, dry_run)
    forgotten = client.run(forget(keys, name, now_ms=now_ms, dry_run=dry_run))
    if forgotten.nothing:
        raise UnknownModule(name, client.run(registry.names(keys)))
    return forgotten


def _forgotten_topic(client: Client, keys: Keys, topic: str, now_ms: int, dry_run: bool) -> ForgottenTopic:
    forgotten = client.run(forget_topic(keys, topic, now_ms=now_ms, dry_run=dry_run))
    if forgotten.nothing:
        streams = client.run(follow.announced(keys)).streams
        raise UnknownTopic(topic, [stream.name for stream in streams if stream.kind == "topic"])
    return forgotten


def _gone(forgotten: Forgotten | ForgottenTopic) -> str:
    if isinstance(forgotten, ForgottenTopic):
        return f"{forgotten.entries:,} messages, {forgotten.later:,} that wait"
    topics = f", subscriptions to {', '.join(forgotten.topics)}" if forgotten.topics else ""
    return (
        f"{forgotten.inbox:,} messages in its inbox, {forgotten.later:,} that wait, {forgotten.dead:,} buried, "
        f"{forgotten.events:,} events{topics}"
    )
