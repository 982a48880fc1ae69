"""The command `replay`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.client.module.finder import find_module
from claude_comm.errors import NotFound
from claude_comm.escaping import clean
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, emit_styled
from claude_comm.terminal.styles import FAILED, GOOD
from claude_comm.testing import recording
from claude_comm.testing.recording import Recorded
from claude_comm.testing.replaying import Replayed, replay
from claude_comm.transport.connect import connect


def command(
    against: Annotated[
        str, typer.Option("--against", metavar="PACKAGE.FILE:MODULE", help="The version to hand the deliveries to.")
    ],
    session: Annotated[str, typer.Option("--session", help="The deliveries of this session.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="A file that `claude-comm record` wrote, in place of a session.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show each change with its path, before and after.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hand recorded deliveries to another version of a module, and report what changes.

    The version runs on a private server that is removed afterwards. For each delivery, it compares the outcome, the
    reply and the messages that it caused: `same`, `equal under the adapter` or `changed`. Exits with 0 if nothing
    changed, 1 if something did, and 3 if nothing was recorded for the module.
    """
    module = find_module(against)
    if file is not None:
        deliveries, before = recording.read_recording(file), recording.read_contracts(file).get(module.name)
    else:
        deliveries, before = _recorded(session, module.name), _contract(module.name)
    if not any(delivery.consumer == module.name for delivery in deliveries):
        raise NotFound(f"no delivery to {module.name!r} was recorded there; `claude-comm list` shows what was.")
    results = replay(deliveries, module, before)
    if as_json:
        emit_json(results)
    else:
        _show(results, diff)
    return 1 if any(result.answer == "changed" for result in results) else 0


def _recorded(session: str, module: str) -> list[Recorded]:
    with reading() as database:
        return list(recording.recorded(database, module=module, session=session))


def _contract(module: str) -> Contract | None:
    """The contract that is registered: that of the version which was recorded."""
    settings = settings_of_process()
    with connect(settings) as client:
        return client.run(registry.find(Keys(settings.namespace), module))


def _show(results: Sequence[Replayed], diff: bool) -> None:
    for result in results:
        style = FAILED if result.answer == "changed" else GOOD
        times = f"{result.before_ms:.1f} ms, now {result.took_ms:.1f} ms"
        emit_styled(clean(f"{result.type} {result.id}: {result.answer} ({times})"), style)
        for change in result.changes if diff else ():
            before, after = (msgspec.json.encode(value).decode() for value in (change.before, change.after))
            emit(clean(f"  {change.what} changed at {change.path}: {before} -> {after}"))
    changed = sum(result.answer == "changed" for result in results)
    emit(f"{len(results)} deliveries, {changed} changed")
