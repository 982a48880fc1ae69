"""The commands `dead list`, `show`, `check`, `redrive` and `purge`: what modules gave up on.

Law: they read the dead streams themselves, so that they tell what can be redriven now, whatever a projection holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.identity import Identity, identify, micros
from claude_comm.cloudevents import cloudevent
from claude_comm.cloudevents import shown as payload
from claude_comm.delivery import burial as burials
from claude_comm.delivery.burial import Burial, Group, Where
from claude_comm.delivery.recheck import Judge, Refusal
from claude_comm.errors import ConfigurationError, NotBuried
from claude_comm.names import Keys, check_name
from claude_comm.ops import dead as ops
from claude_comm.ops import registry
from claude_comm.progress.events import Retried, Settled
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.timestamps import iso
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json, emit_table, say, shorten
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

# Of a reason in a table: enough to know it by.
_REASON_CHARACTERS = 120

TheModule = Annotated[str, typer.Argument(metavar="MODULE", help="The module that buried them.")]
Conditions = Annotated[
    list[str],
    typer.Option(
        "--where", "-w", metavar="NAME=TEXT", help="Only these: reason=PART, type=, path= or source=; may be repeated."
    ),
]


def list_(
    module: Annotated[str, typer.Argument(metavar="[MODULE]", help="Only what this module buried.")] = "",
    as_json: AsJson = False,
) -> None:
    """List what was buried, by reason and place.

    Numbers and ids in a reason are shown as #, so that one failure is one line. The id is that of the latest burial
    of the group, for `claude-comm dead show`.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        found = burials.groups(_walk_all(client, settings, module))
    if as_json:
        emit_json(found)
    elif found:
        columns = ["count", "module", "types", "reason", "path", "latest", "id"]
        emit_table(columns, [_group_row(group) for group in found], right=["count"])
    else:
        say(f"nothing is buried by {module!r}." if module else "nothing is buried.")


def show(
    buried: Annotated[str, typer.Argument(metavar="ID", help="An id from `dead list`, a message id or its start.")],
    module: Annotated[str, typer.Option("--module", "-m", help="The module that buried it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show one buried message whole, with why it was buried.

    An unknown ID exits with 3.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        found = _find(client, settings, module, buried)
    if as_json:
        emit_json(_shown(found))
        return
    emit_fields(_fields(found))
    if found.traceback:
        emit("")
        emit_fields({"traceback": found.traceback})


def check(module: TheModule, where: Conditions = [], as_json: AsJson = False) -> int:  # noqa: B006  (typer's way)
    """Say how many buried messages would be let in now.

    Each is held to the contract that the module registers today. What was let in before and failed in the handler
    counts as let in: whether it would fail again, nobody can tell. Exits with 0 if all would, with 1 if not.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    with connect(settings) as client:
        contract = client.run(registry.require(Keys(settings.namespace), check_name(module)))
        judge, refused, passing = Judge(contract, micros()), Counter[Refusal](), 0
        for one in _walk(client, settings, module, chosen):
            refusal = judge.refusal(one)
            if refusal is None:
                passing += 1
            else:
                refused[refusal] += 1
    _show_check(module, passing, refused, as_json)
    return 1 if refused else 0


def redrive(
    module: TheModule,
    where: Conditions = [],  # noqa: B006  (typer's way)
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="At most this many, the oldest first; 0: all.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put buried messages back into the inbox of their module.

    As they were sent, with all their attempts before them. A message leaves the dead stream in the step that puts it
    into the inbox: run it again after whatever stopped it, nothing is lost or sent twice.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    identity = identify(module, settings)
    with connect(settings) as client:
        if dry_run:
            matching = sum(1 for _ in _walk(client, settings, module, chosen))
            moved = min(matching, limit or matching)
        else:
            moved = client.run(
                ops.redrive(
                    identity.keys,
                    module,
                    chosen,
                    lambda one: _redriven(identity, one),
                    limit=limit or None,
                    max_bytes=settings.max_envelope_bytes,
                )
            )
    if as_json:
        emit_json({"module": module, "redriven": 0 if dry_run else moved, "would_redrive": moved if dry_run else 0})
    else:
        emit(f"{moved} would be redriven" if dry_run else f"{moved} redriven")


def purge(
    module: TheModule,
    where: Conditions = [],  # noqa: B006  (typer's way)
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is purged is gone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete buried messages for good.

    Without --yes it only says how many it would delete, and exits with 2.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        if not yes:
            count = sum(1 for _ in _walk(client, settings, module, chosen))
            raise ConfigurationError(f"{count} would be deleted for good: say so with --yes.")
        gone = client.run(ops.purge(keys, check_name(module), chosen, max_bytes=settings.max_envelope_bytes))
    if as_json:
        emit_json({"module": module, "purged": gone})
    else:
        emit(f"{gone} purged")


def _walk(client: Client, settings: Settings, module: str, chosen: Where) -> Iterator[Burial]:
    """The chosen burials of one module, the oldest first, a page at a time."""
    keys = Keys(settings.namespace)
    place = client.run(ops.begin(keys, check_name(module)))
    while place.after:
        found, place = client.run(ops.page(keys, place, max_bytes=settings.max_envelope_bytes))
        yield from (one for one in found if chosen.matches(one))


def _walk_all(client: Client, settings: Settings, module: str) -> Iterator[Burial]:
    for name in [module] if module else client.run(ops.modules(Keys(settings.namespace))):
        yield from _walk(client, settings, name, Where())


def _find(client: Client, settings: Settings, module: str, reference: str) -> Burial:
    """By the id on the dead stream, by a message's whole id, or by the start of one. Raises NotBuried."""
    everything = [
        one
        for one in _walk_all(client, settings, module)
        if reference and (one.id == reference or (one.envelope and one.envelope.id.startswith(reference)))
    ]
    exact = [one for one in everything if reference in (one.id, one.envelope.id if one.envelope else "")]
    found = exact or everything
    if len(found) != 1:
        raise NotBuried(reference, len(found))
    return found[0]


def _redriven(identity: Identity, one: Burial) -> bytes:
    """The event that the message is on its way again; none for bytes that are no message."""
    if one.envelope is None:
        return b""
    now_us, sent = micros(), one.envelope
    fact = Retried(Settled(sent.source, sent.id, sent.time, now_us, one.attempts), "redriven", now_us)
    return identity.event(fact, sent.session)


def _group_row(group: Group) -> list[object]:
    latest = formats.moment(group.last_ms * 1000)
    return [
        group.count,
        group.module,
        ", ".join(group.types),
        shorten(group.reason, _REASON_CHARACTERS),
        group.path,
        latest,
        group.example,
    ]


def _fields(one: Burial) -> dict[str, object]:
    given: dict[str, object] = {
        "id": one.id,
        "module": one.module,
        "buried": formats.moment(one.buried_ms * 1000),
        "reason": one.reason,
        "path": one.path,
        "schema path": one.schema_path,
        "attempts": one.attempts,
        "read from": f"{one.stream} {one.entry}",
        "size": formats.size(one.size_bytes),
    }
    if one.envelope is not None:
        given |= {
            "message": one.envelope.id,
            "source": one.envelope.source,
            "target": one.envelope.target,
            "type": one.envelope.type,
            "sent": formats.moment(one.envelope.time),
            "session": one.envelope.session,
            "data": msgspec.json.format(bytes(payload(one.envelope.data)), indent=2).decode(),
        }
    return {name: value for name, value in given.items() if value != ""}


def _shown(one: Burial) -> dict[str, Any]:
    return {
        "id": one.id,
        "module": one.module,
        "buried": iso(one.buried_ms * 1000),
        "reason": one.reason,
        "path": one.path,
        "schema_path": one.schema_path,
        "attempts": one.attempts,
        "stream": one.stream,
        "entry": one.entry,
        "size_bytes": one.size_bytes,
        "traceback": one.traceback,
        "message": cloudevent(one.envelope, iso(one.envelope.time)) if one.envelope else None,
    }


def _show_check(module: str, passing: int, refused: Counter[Refusal], as_json: bool) -> None:
    failing = refused.total()
    if as_json:
        groups = [{"reason": one.reason, "path": one.path, "count": count} for one, count in refused.most_common()]
        emit_json({"module": module, "would_pass": passing, "would_fail": failing, "refusals": groups})
        return
    emit(f"{passing} of {passing + failing} would be let in")
    if refused:
        rows = [[count, one.reason, one.path] for one, count in refused.most_common()]
        emit_table(["count", "refused because", "path"], rows, right=["count"])
