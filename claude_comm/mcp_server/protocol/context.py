"""What a request of the protocol says about its client."""

from __future__ import annotations

from typing import Any, TypeAlias

import mcp_types as types
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Caller

Context: TypeAlias = ServerRequestContext[Any, Any]

TASKS = "io.modelcontextprotocol/tasks"


def capabilities(context: Context) -> dict[str, Any]:
    """What the client of this request declares, by its name in the protocol."""
    declared = context.session.client_capabilities
    return {} if declared is None else declared.model_dump(by_alias=True, mode="json", exclude_none=True)


def knows_tasks(context: Context) -> bool:
    """Whether this very request may be answered with a task."""
    return TASKS in (capabilities(context).get("extensions") or {})


def caller() -> Caller:
    """Who sent the request that is being handled."""
    token = get_access_token()
    if token is None:
        return Caller()
    module = str((token.claims or {}).get("module", ""))
    return Caller(owner=f"token:{token.client_id}", module=module, scopes=frozenset(token.scopes))


def call_of(desk: Desk, context: Context, answers: dict[str, Any] | None = None, state: str = "") -> Call:
    """The call that this request makes of a tool."""

    logs = desk.exposure.legacy_logging and context.protocol_version not in MODERN_PROTOCOL_VERSIONS

    async def report(completed: float, total: float, words: str) -> None:
        await context.session.report_progress(completed, total, words)
        if logs:
            told = types.LoggingMessageNotificationParams(level="info", data=words)
            notice = types.LoggingMessageNotification(params=told)
            await context.session.send_notification(notice, related_request_id=context.request_id)

    asked = context.meta is not None and context.meta.get("progress_token") is not None
    return Call(desk, caller(), report, asked or logs, knows_tasks(context), answers, state)
