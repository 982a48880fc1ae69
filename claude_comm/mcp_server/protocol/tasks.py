"""The tasks extension: `tasks/get`, `tasks/update` and `tasks/cancel`, and the result that is a task.

Law: only for requests whose client declares the extension. An unknown task and that of another owner are one error.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from pydantic import Field

from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.desk import tasks
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.tasks import TaskState
from claude_comm.mcp_server.protocol import results
from claude_comm.mcp_server.protocol.context import TASKS, Context, call_of, knows_tasks

_NAME_HEADER = "mcp-name"


class TaskParams(types.RequestParams):
    """Of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateParams(TaskParams):
    """Of `tasks/update`."""

    input_responses: dict[str, Any] = Field(default_factory=dict)


def install(server: Server[Any], desk: Desk) -> None:
    """Lets a server answer for tasks."""
    server.extensions[TASKS] = {}

    async def get(context: Context, params: TaskParams) -> dict[str, Any]:
        _, task = await _known(desk, context, params)
        return {**described(task), "resultType": "complete"}

    async def update(context: Context, params: UpdateParams) -> dict[str, Any]:
        call, task = await _known(desk, context, params)
        await tasks.respond(call, task, params.input_responses)
        return {"resultType": "complete"}

    async def cancel(context: Context, params: TaskParams) -> dict[str, Any]:
        call, task = await _known(desk, context, params)
        await tasks.cancel(call, task)
        return {"resultType": "complete"}

    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", UpdateParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


def missing() -> MCPError:
    """What is answered to a client that does not declare the extension where it is needed."""
    return MCPError(
        types.MISSING_REQUIRED_CLIENT_CAPABILITY,
        f"the client has to declare the extension {TASKS}",
        {"requiredCapabilities": {"extensions": {TASKS: {}}}},
    )


def created(task: TaskState) -> dict[str, Any]:
    """A task as the result of the call that began it."""
    return {**_basic(task), "resultType": "task"}


def described(task: TaskState) -> dict[str, Any]:
    """A task with what it asks, or how it ended."""
    told = _basic(task)
    if task.requests:
        told["inputRequests"] = task.requests
    if task.end is not None and task.end.answer is not None:
        told["result"] = results.result(task.end.answer).model_dump(by_alias=True, mode="json", exclude_none=True)
    elif task.end is not None and task.end.error:
        told["error"] = {"code": types.INTERNAL_ERROR, "message": task.end.error}
    return told


def _basic(task: TaskState) -> dict[str, Any]:
    words = {"statusMessage": task.words} if task.words else {}
    return {
        "taskId": task.id,
        "status": task.status,
        **words,
        "createdAt": _moment(task.record.created_us),
        "lastUpdatedAt": _moment(task.updated_us),
        "ttlMs": tasks.TTL_MS,
        "pollIntervalMs": tasks.POLL_MS,
    }


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _known(desk: Desk, context: Context, params: TaskParams) -> tuple[Call, TaskState]:
    """Raises MCPError for a client, or a task, that is not meant."""
    if not knows_tasks(context):
        raise missing()
    _check_header(context, params.task_id)
    call = call_of(desk, context)
    try:
        task = await tasks.find(call, params.task_id)
    except ClaudeCommError as error:
        raise MCPError(types.INTERNAL_ERROR, str(error)) from None
    if task is None:
        raise MCPError(types.INVALID_PARAMS, "Unknown task", {"taskId": params.task_id})
    return call, task


def _check_header(context: Context, task_id: str) -> None:
    """Over HTTP what routes a request is what it asks for."""
    headers = getattr(context.request, "headers", None)
    if headers is not None and headers.get(_NAME_HEADER, "").strip() != task_id:
        raise MCPError(types.HEADER_MISMATCH, f"the header {_NAME_HEADER} is not the id of the task")
