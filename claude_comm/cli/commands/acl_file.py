"""The command `acl-file`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.addresses import check_url
from claude_comm.cli.options import AsJson
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys, check_name
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.secret_files import SERVICE, Places, write_secrets
from claude_comm.security import access
from claude_comm.terminal.output import emit_fields, emit_json


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the files; only you can read it.")],
    host: Annotated[
        str, typer.Option("--host", metavar="HOST:PORT", help="The server's address, as modules and workers reach it.")
    ] = "server:6379",
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster", metavar="HOST:PORT,…", help="Nodes of a cluster for messages; --host keeps the rest."
        ),
    ] = "",
    sentinel: Annotated[
        str,
        typer.Option(
            "--sentinel", metavar="HOST:PORT,…", help="Sentinels that watch the server of --host, and name its primary."
        ),
    ] = "",
    module: Annotated[
        list[str] | None, typer.Option("--module", help="A module that also gets a user; may be given several times.")
    ] = None,
    server: Annotated[
        str, typer.Option("--server", help=f"The server that the rules are for: {', '.join(access.SERVERS)}.")
    ] = "valkey9",
    as_json: AsJson = False,
) -> None:
    """Write an ACL file for a server, and the address with a password for each of its users.

    It writes users.acl into FOLDER. In it each worker, an operator, an administrator and each --module is a user with
    the narrowest rules. For each user it writes NAME.url and NAME.control-url, for CLAUDE_COMM_URL_FILE and
    CLAUDE_COMM_CONTROL_URL_FILE. With --sentinel it also writes replication.conf for the servers and sentinel.conf for
    the Sentinels. You may run the command again: a user that has a file keeps its password. Without a password, nothing
    is allowed but PING.
    """
    if server not in access.SERVERS:
        raise ConfigurationError(f"{server!r} is no kind of server: {', '.join(access.SERVERS)}.")
    modules = list(dict.fromkeys(check_name(name) for name in module or []))
    check_url("--host", f"redis://{host}/0")
    if cluster:
        check_url("--cluster", f"redis+cluster://{cluster}")
    if sentinel:
        check_url("--sentinel", f"redis+sentinel://{sentinel}/{SERVICE}")
    keys = Keys(settings_of_process().namespace)
    users = access.file_users(keys, modules, access.SERVERS[server], watched=bool(sentinel))
    written = write_secrets(folder, users, Places(host, cluster, sentinel))
    facts = {"folder": str(folder), "users": sorted(written)}
    if as_json:
        emit_json(facts)
    else:
        emit_fields({"folder": str(folder), "users": ", ".join(sorted(written))})
