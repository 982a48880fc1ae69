"""One call of a tool while it runs: who asks, by which means, and how to reach the client meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Caller

# Reports progress to the client: how far, of how much, and in words.
Report: TypeAlias = Callable[[float, float, str], Awaitable[None]]


async def _to_nobody(_completed: float, _total: float, _words: str) -> None:
    return None


class Call(msgspec.Struct, frozen=True):
    """`answers` and `state` are what the client brings to a question that an earlier call asked; `knows_tasks` is
    whether it can be given a task in place of a result."""

    desk: Desk
    caller: Caller
    report: Report = _to_nobody
    wants_progress: bool = False
    knows_tasks: bool = False
    answers: dict[str, Any] | None = None
    state: str = ""
