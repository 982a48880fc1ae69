"""The command `dead check`."""

from __future__ import annotations

from collections import Counter

from claude_comm.cli.dead_letters import BuryingModule, Conditions
from claude_comm.cli.options import AsJson
from claude_comm.client.dead_letters import judged, walk
from claude_comm.client.identity import micros
from claude_comm.delivery import burial as burials
from claude_comm.delivery.recheck import Judge, Rejection
from claude_comm.names import Keys, check_name
from claude_comm.ops import registry
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, emit_table
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect


def command(module: BuryingModule, where: Conditions = [], as_json: AsJson = False) -> int:  # noqa: B006  (typer's way)
    """Count the buried messages that the module's contract would accept now.

    Each message is checked against the module's current contract. A message that fits and failed in the handler counts
    as accepted: nobody can know whether it would fail again. Exits with 0 if all would be accepted, with 1 if not.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    with connect(settings) as client:
        contract = client.run(registry.require(Keys(settings.namespace), check_name(module)))
        passing, refused = judged(Judge(contract, micros()), walk(client, settings, module, chosen))
    _show(module, passing, refused, as_json)
    return 1 if refused else 0


def _show(module: str, passing: int, refused: Counter[Rejection], as_json: bool) -> None:
    failing = refused.total()
    if as_json:
        groups = [
            {"reason": refusal.reason, "path": refusal.path, "count": count} for refusal, count in refused.most_common()
        ]
        emit_json({"module": module, "would_pass": passing, "would_fail": failing, "refusals": groups})
        return
    emit(f"{passing} of {passing + failing} would be accepted")
    if refused:
        rows = [[count, refusal.reason, refusal.path] for refusal, count in refused.most_common()]
        emit_table([*numbers("count"), Column("refused because", "wrap"), "path"], rows)
