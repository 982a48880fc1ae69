"""What the commands `export` read and write: the live releases with their contracts, and a file or stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.addresses import public
from claude_comm.cli import completions
from claude_comm.client.identity import millis
from claude_comm.errors import ConfigurationError, UnknownModule
from claude_comm.interchange.asyncapi import ReleaseEntry
from claude_comm.names import Keys, check_name
from claude_comm.ops import registry
from claude_comm.ops.registry import Standing
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="A file; else stdout.")]
SomeModule = Annotated[
    str,
    typer.Argument(
        metavar="[MODULE]", help="Only this module.", autocompletion=completions.modules, show_default=False
    ),
]


def read(settings: Settings, module: str = "") -> tuple[list[ReleaseEntry], str]:
    """The live releases of one module, or of all, by name, the newest first; and the server's address, without a login.
    Raises UnknownModule."""
    if module:
        check_name(module)
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        standings = _standings(client, keys, module)
        wanted = [(standing.module, release.digest) for standing in standings for release in standing.record.live()]
        contracts = client.run(registry.contracts_of(keys, wanted))
    published = []
    for standing in standings:
        offered = {release.digest for release in standing.offered()}
        for release in standing.record.live():
            if release.digest in contracts:
                published.append(ReleaseEntry(release, contracts[release.digest], release.digest in offered))
            else:
                say(f"Note: the contract of {standing.module} {release.version} cannot be read, and is left out.")
    return published, public(settings.url)


def write(document: Any, output: Path | None) -> None:
    """The document as JSON, into a file or to stdout. Raises ConfigurationError for a file that cannot be written."""
    if output is None:
        emit_json(document)
        return
    try:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}.") from None
    say(f"{output} is written.")


def _standings(client: Client, keys: Keys, module: str) -> list[Standing]:
    if not module:
        directory = client.run(registry.everyone(keys, now_ms=millis()))
        for error in directory.unreadable:
            say(f"Note: {error}")
        return directory.modules
    standing = client.run(registry.standing(keys, module, now_ms=millis()))
    if standing is None:
        raise UnknownModule(module, client.run(registry.names(keys)))
    return [standing]
