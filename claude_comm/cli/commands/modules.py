"""The command `modules`."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.ops.registry import Registered
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say, shorten
from claude_comm.transport.connect import connect

# Enough of a decoder's words to see what is wrong.
_WHY_CHARACTERS = 80


def command(as_json: AsJson = False) -> None:
    """List the registered modules and what they declare.

    Types accepted, types produced and for whom, and the instances that are alive. A contract that another program wrote
    and that cannot be read is one line; the module writes it anew when it starts.
    """
    settings = settings_of_process()
    now_ms = millis()
    with connect(settings) as client:
        directory = client.run(registry.everyone(Keys(settings.namespace), now_ms=now_ms))
    unreadable = directory.unreadable
    if as_json:
        odd = [{"module": contract.module, "unreadable": contract.why} for contract in unreadable]
        emit_json([*map(_as_json, directory.modules), *odd])
    elif directory.modules or unreadable:
        columns = ["module", "version", "accepts", "produces", "instances", "last heartbeat"]
        rows = [_cells(module, now_ms) for module in directory.modules]
        emit_table(columns, rows + [_unreadable_cells(contract) for contract in unreadable], right=["instances"])
    else:
        say("no module has registered yet.")


def _as_json(module: Registered) -> dict[str, Any]:
    contract: dict[str, Any] = msgspec.to_builtins(module.contract)
    return {"accepts": {}, "produces": [], **contract, "instances": module.instances}


def _unreadable_cells(contract: UnreadableContract) -> list[object]:
    why = f"cannot be read: {shorten(contract.why, _WHY_CHARACTERS)}"
    return [contract.module, "?", why, "", "", "start it again"]


def _cells(module: Registered, now_ms: int) -> list[object]:
    contract = module.contract
    produces = [f"{produced.type} -> {produced.target or 'any'}" for produced in contract.produces]
    latest = max(module.instances.values(), default=None)
    return [
        contract.module,
        contract.version,
        ", ".join(sorted(contract.accepts)),
        ", ".join(sorted(produces)),
        len(module.instances),
        "-" if latest is None else f"{formats.span(max(0, now_ms - latest) / 1000)} ago",
    ]
