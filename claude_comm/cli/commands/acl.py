"""The command `acl`."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys, check_name, check_target
from claude_comm.ops import registry
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.security import access
from claude_comm.security.access import Partners, Server
from claude_comm.terminal.output import emit, emit_json, say
from claude_comm.transport.connect import connect

if TYPE_CHECKING:
    from claude_comm.transport.driver import Client

_PASSWORD_BYTES = 32


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A module, or a name for a user of --role.", autocompletion=completions.modules
        ),
    ],
    role: Annotated[str, typer.Option("--role", help=f"What the user is: {', '.join(access.ROLES)}.")] = "module",
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to", metavar="TARGET", help="Whom the module sends to; by default what its contract says, or all."
        ),
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="A topic that it reads; by default those of its contract.")
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            "--server",
            help=f"The server that the rules are for: {', '.join(access.SERVERS)}; by default the one in use.",
        ),
    ] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Set the user on the server, with a new password.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print or set the narrowest access rules that let a module or a worker work.

    The rules are ACL rules of Valkey 8 and Redis 7 and later. --apply sets them on the server (on both servers if
    CLAUDE_COMM_CONTROL_URL names another), with a new password that is printed once; the server keeps its hash. To keep
    the user after a restart, run `ACL SAVE`, or put the printed line into the server's configuration.
    """
    chosen = access.ROLES.get(role)
    if chosen is None:
        raise ConfigurationError(f"{role!r} is no role: {', '.join(access.ROLES)}.")
    settings, user = settings_of_process(), check_name(name)
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        partners = _partners(client, keys, user, to, topic) if chosen == "module" else Partners()
        words = access.user_words(access.rules(keys, chosen, user, partners), _server(client, server))
        password = secrets.token_urlsafe(_PASSWORD_BYTES) if apply else ""
        if apply:
            made = act("acl", user, user_of_process(), f"role {chosen}")
            recorded(client, keys, made, lambda: _set(client, user, [*words, f">{password}"]), lambda _: "set")
    if as_json:
        given = {"password": password} if apply else {}
        lists = {"targets": partners.targets, "topics": partners.topics, "rules": words}
        emit_json({"user": user, "role": chosen, **lists, **given})
    elif apply:
        emit(f"password {password}")
        say(f"{user} may connect now, with this password: it is shown this once.")
    else:
        _show(user, words)


def _show(user: str, words: list[str]) -> None:
    """The line for the server's configuration, with a hash in the place of the password's."""
    emit(" ".join(["user", user, f"#{hashlib.sha256(b'change this').hexdigest()}", *words]))
    say("Replace the hash behind # by the SHA-256 of the user's password, or let --apply set it.")


def _partners(client: Client, keys: Keys, module: str, to: list[str] | None, topic: list[str] | None) -> Partners:
    """What was given, and for the rest what the module's contracts say."""
    if to is not None and topic is not None:
        return Partners([*map(check_target, to)], topic)
    record = client.run(registry.record(keys, module))
    releases = record.live() if record else []
    targets = access.targets_of(sent.target for release in releases for sent in release.produces) or ["*"]
    topics = sorted({topic for release in releases for topic in release.topics})
    return Partners(targets if to is None else [*map(check_target, to)], topics if topic is None else topic)


def _server(client: Client, named: str) -> Server:
    """The kind of server that was named, or that answers. Raises ConfigurationError."""
    known = access.SERVERS.get(named)
    if known is not None:
        return known
    if named:
        raise ConfigurationError(f"{named!r} is no kind of server: {', '.join(access.SERVERS)}.")
    return access.server_of(client.control.one(Command(("INFO", "server"))))


def _set(client: Client, user: str, words: list[str]) -> None:
    servers = {id(server): server for server in (client.data, client.control)}
    for server in servers.values():
        server.one(Command(("ACL", "SETUSER", user, *words)))
