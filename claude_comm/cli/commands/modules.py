"""The command `modules`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.ops.registry import Standing
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.registry.releases import Release
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say, shorten
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

# Enough of a decoder's words to see what is wrong.
_WHY_CHARACTERS = 80
# Of one version: a module with two hundred types would make each line of the table as wide.
_MOST_NAMES = 8
_COLUMNS: Columns = [
    Column("module", least=12),
    *("version", "state"),
    Column("accepts", least=14),
    Column("produces", rank=1, least=14),
    *("instances", Column("last heartbeat", "whole", rank=2)),
]


def command(as_json: AsJson = False) -> None:
    """List the registered modules and what they declare.

    One line for each version that is not retired: its state, the types that it accepts, the types that it produces and
    for whom, and its instances (up, late, gone). If another program overwrote the record of a module, so that it cannot
    be read or nobody signed it who may, the module is one line; it registers again, at the latest when it starts.
    """
    settings = settings_of_process()
    now_ms = millis()
    with connect(settings) as client:
        directory = client.run(registry.everyone(Keys(settings.namespace), now_ms=now_ms))
    unreadable = directory.unreadable
    if as_json:
        odd = [{"module": contract.module, "unreadable": contract.why} for contract in unreadable]
        emit_json([*map(as_document, directory.modules), *odd])
    elif directory.modules or unreadable:
        rows = [_cells(module, release, now_ms) for module in directory.modules for release in _shown(module)]
        emit_table(_COLUMNS, rows + [_unreadable_cells(contract) for contract in unreadable])
    else:
        say("no module has registered yet.")


def as_document(module: Standing) -> dict[str, Any]:
    """A module as JSON: its current version, and all of them."""
    current = module.current
    return {
        "module": module.module,
        "version": current.version if current else None,
        "accepts": sorted(current.accepts) if current else [],
        "produces": msgspec.to_builtins(current.produces) if current else [],
        "versions": [
            {"accepts": {}, "state": "live", **msgspec.to_builtins(release)} for release in module.record.releases
        ],
        "instances": {instance.name: msgspec.to_builtins(instance) for instance in module.instances},
    }


def counted(states: Sequence[str]) -> str:
    """Instances by their state: `2 up, 1 gone`."""
    return ", ".join(f"{states.count(state)} {state}" for state in ("up", "late", "gone") if state in states) or "none"


def _shown(module: Standing) -> list[Release]:
    """The newest first; a module whose every version is retired is one line."""
    active = [release for release in module.record.releases if release.state != "retired"]
    return sorted(active or module.record.releases[-1:], key=lambda release: release.rank, reverse=True)


def _unreadable_cells(contract: UnreadableContract) -> list[object]:
    why = f"cannot be read: {shorten(contract.why, _WHY_CHARACTERS)}"
    return [contract.module, "?", "?", why, "", "", "start it again"]


def _cells(module: Standing, release: Release, now_ms: int) -> list[object]:
    # What does not say what it runs is counted with the current version.
    current = module.current
    own = [
        instance
        for instance in module.instances
        if instance.digest == release.digest
        or (not instance.digest and current is not None and current.digest == release.digest)
    ]
    latest = max((instance.beat_ms for instance in own), default=None)
    return [
        module.module,
        release.version,
        release.state,
        _listed(release.accepts),
        _listed(f"{sent.type} -> {sent.target or 'any'}" for sent in release.produces),
        counted([instance.state for instance in own]),
        "-" if latest is None else f"{formats.span(max(0, now_ms - latest) / 1000)} ago",
    ]


def _listed(names: Iterable[str]) -> str:
    """The first of them, and how many there are beside: `module show` has all."""
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMES
    return ", ".join(ordered if more <= 1 else [*ordered[:_MOST_NAMES], f"and {more} more"])
