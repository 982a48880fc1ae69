"""The command `module show`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.commands.modules import counted
from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.errors import UnknownModule
from claude_comm.escaping import clean
from claude_comm.names import Keys, check_name
from claude_comm.ops import changes, registry
from claude_comm.ops.registry import Standing
from claude_comm.registry.changes import RegistryChange
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.registry.releases import Release
from claude_comm.runtime.environment import settings_of_process
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Incompatible
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json, emit_table
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

_HISTORY = 20


def command(
    module: Annotated[str, typer.Argument(metavar="MODULE", help="A module.", autocompletion=completions.modules)],
    as_json: AsJson = False,
) -> None:
    """Show what a partner needs to know to write to a module.

    For each version that may receive messages: what it accepts, property by property, with a smallest message of each
    type; what it sends and replies; which instances run it. Then the other versions, and who changed what last.
    """
    settings, now_ms = settings_of_process(), millis()
    keys = Keys(settings.namespace)
    check_name(module)
    with connect(settings) as client:
        standing = client.run(registry.standing(keys, module, now_ms=now_ms))
        if standing is None:
            raise UnknownModule(module, client.run(registry.names(keys)))
        releases = standing.record.releases
        contracts = client.run(registry.contracts_of(keys, [(module, release.digest) for release in releases]))
        history = client.run(changes.history(keys, module, limit=_HISTORY))
    if as_json:
        emit_json(_as_document(standing, contracts, history))
        return
    offered = standing.offered()
    for release in offered:
        for line in _about(standing, release, contracts.get(release.digest)):
            emit(line)
    others = [release for release in releases if release not in offered]
    if others:
        emit_table(
            ["version", "digest", "state"],
            [[release.version, release.digest[:12], release.state] for release in others],
        )
        emit("")
    columns: Columns = [Column("when", "whole"), "what", "version", "by", Column("note", "wrap", least=20)]
    when = formats.moments([change.at_us for change in history])
    emit_table(columns, [[at, c.kind, c.version, c.by, c.note] for at, c in zip(when, history, strict=True)])


def _as_document(standing: Standing, contracts: dict[str, Contract], history: list[RegistryChange]) -> dict[str, Any]:
    current = standing.current
    declared = contracts.get(current.digest) if current else None
    return {
        "accepts": {},
        "produces": [],
        **(msgspec.to_builtins(declared) if declared else {"module": standing.module}),
        "version": declared.version if declared else None,
        "versions": [
            {**msgspec.to_builtins(release), "state": release.state, "contract": contracts.get(release.digest)}
            for release in standing.record.releases
        ],
        "offered": [release.digest for release in standing.offered()],
        "instances": standing.instances,
        "history": history,
    }


def _about(standing: Standing, release: Release, declared: Contract | None) -> Iterator[str]:
    own = [instance.state for instance in standing.instances if instance.digest == release.digest]
    yield clean(f"{standing.module} {release.version} ({release.digest[:12]}), instances: {counted(own)}")
    if declared is None:
        yield "  its contract cannot be read: start it again"
        return
    if declared.description:
        yield clean(f"  {declared.description}")
    yield clean(f"  keeps of earlier versions: {declared.compatibility}")
    if declared.formats == "assert":
        yield "  asserts the formats of its schemas"
    if declared.topics:
        yield clean(f"  reads the topics {', '.join(declared.topics)}")
    if not declared.accepts:
        yield "  accepts nothing"
    for type, schema in declared.accepts.items():
        yield clean(f"  accepts {type}")
        yield from (f"    {line}" for line in _described(schema, declared.aliases.get(type, {})))
        if type in declared.replies:
            yield clean(f"    answers {_text(declared.replies[type])}")
    for produced in declared.produces:
        yield clean(f"  sends {produced.type} to {produced.target or 'anyone'}: {_text(produced.schema)}")
    yield ""


def _described(schema: Schema, aliases: dict[str, list[str]]) -> Iterator[str]:
    """A property a line, then a smallest message."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    required = schema.get("required", []) if isinstance(schema, dict) else []
    for name, held in properties.items() if isinstance(properties, dict) else ():
        words = [str(name), _text(held), "required" if name in required else "optional"]
        if name in aliases:
            words.append(f"formerly {', '.join(aliases[name])}")
        yield clean("  ".join(words))
    if not properties:
        yield "any message at all" if schema is True or schema == {} else clean(_text(schema))
    # Everything is refused by `false`: the witness is a smallest message of the schema.
    verdict = check(schema, False, policy="strict")
    if isinstance(verdict, Incompatible):
        yield clean(f"for example {_text(verdict.witness)}")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode(errors="replace")
