"""The commands `modules` and `agreements`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, why
from claude_comm.ops import agreements as stored
from claude_comm.ops import registry
from claude_comm.ops.registry import Registered
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.transport.connect import connect

_ID_CHARACTERS = 12


def modules(as_json: AsJson = False) -> None:
    """List the registered modules and what they declare.

    Types accepted, types produced and for whom, and the instances that are alive.
    """
    settings = settings_of_process()
    now = millis()
    with connect(settings) as client:
        found = client.run(registry.everyone(Keys(settings.namespace), now_ms=now))
    if as_json:
        emit_json([_module(one) for one in found])
    elif found:
        columns = ["module", "version", "accepts", "produces", "instances", "last heartbeat"]
        emit_table(columns, [_module_row(one, now) for one in found], right=["instances"])
    else:
        say("no module has registered yet.")


def agreements(
    module: Annotated[str, typer.Option("--module", "-m", help="Only those with this module on one side.")] = "",
    as_json: AsJson = False,
) -> None:
    """List what modules have agreed on, and what was refused.

    The newest first. An id is the digest of what was asked, so the same question has the same agreement.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        everything = client.run(stored.everything(Keys(settings.namespace)))
    found = [one for one in everything if not module or module in (one.producer, one.consumer)]
    if as_json:
        emit_json(found)
    elif found:
        columns = ["id", "decided", "producer", "consumer", "type", "verdict", "by", "why"]
        emit_table(columns, [_agreement_row(one) for one in found])
    else:
        say(f"no agreement with {module!r} yet." if module else "no agreement yet.")


def _module(one: Registered) -> dict[str, Any]:
    contract: dict[str, Any] = msgspec.to_builtins(one.contract)
    return {"accepts": {}, "produces": [], **contract, "instances": one.instances}


def _module_row(one: Registered, now_ms: int) -> list[object]:
    contract = one.contract
    produces = [f"{produced.type} -> {produced.target or 'any'}" for produced in contract.produces]
    latest = max(one.instances.values(), default=None)
    return [
        contract.module,
        contract.version,
        ", ".join(sorted(contract.accepts)),
        ", ".join(sorted(produces)),
        len(one.instances),
        "-" if latest is None else f"{formats.span(max(0, now_ms - latest) / 1000)} ago",
    ]


def _agreement_row(one: Agreement) -> list[object]:
    decided = formats.moment(one.decided_us)
    reason = "" if one.fits else why(one.verdict)
    id_ = one.id[:_ID_CHARACTERS]
    return [id_, decided, one.producer, one.consumer, one.type, one.verdict.answer, one.decided_by, reason]
