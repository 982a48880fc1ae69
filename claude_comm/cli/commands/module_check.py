"""The command `module check`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.module.finder import find_module
from claude_comm.client.module.self_check import SelfCheck, self_check
from claude_comm.escaping import clean
from claude_comm.terminal.output import emit, emit_json


def command(
    target: Annotated[str, typer.Argument(metavar="PACKAGE.FILE:MODULE", help="Where the Module object is.")],
    as_json: AsJson = False,
) -> int:
    """Say whether a module of yours decodes what its contract accepts.

    It generates thousands of messages from what each handler accepts, and decodes them. It calls no handler and needs
    no server. Exits with 0 if all are decoded, with 1 if not. Messages that only a model's own validator refuses are
    counted separately, because the contract cannot express that code.
    """
    checked = [self_check(handler) for handler in find_module(target).handlers]
    if as_json:
        emit_json([{**_told(check), "kept": check.kept} for check in checked])
    else:
        for check in checked:
            _show(check)
    return 0 if all(check.kept for check in checked) else 1


def _told(checked: SelfCheck) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(checked)
    return fields


def _show(checked: SelfCheck) -> None:
    emit(clean(f"{checked.type}: {checked.taken} of {checked.taken + checked.refused} messages decoded"))
    if checked.cut_short:
        emit("  the time was up before all messages were tried: the schema allows very large ones")
    if checked.code:
        emit(clean(f"  left to code: {checked.code}"))
    for broken in checked.examples:
        emit(clean(f"  refused: {msgspec.json.encode(broken.message).decode()[:300]}"))
        emit(clean(f"    {broken.reason}"))
