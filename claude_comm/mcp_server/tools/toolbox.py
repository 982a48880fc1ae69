"""The tools of one server: which there are by its options, and what a call of one does.

Law: a name that is not listed is not called; arguments are held to the schema that was listed before anything happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.interchange.agent_answers import answers_agents
from claude_comm.mcp_server.desk import tasks
from claude_comm.mcp_server.desk.answers import breaches, refused_arguments, refused_by
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.catalogue import MessageTool, ModuleCatalogue, tools_of
from claude_comm.mcp_server.desk.exposure import ALL, SEARCH, Exposure
from claude_comm.mcp_server.desk.modules import Fault, Outcome, call_module, unfit
from claude_comm.mcp_server.desk.tasks import TaskState
from claude_comm.mcp_server.tool_schemas.proved import result_schema
from claude_comm.mcp_server.tools import discovery, own
from claude_comm.mcp_server.tools.definition import SENDS, FixedTool, Hints

# A call that takes longer than this becomes a task, where the client knows tasks.
GRACE_S, _LOOK_S = 5.0, 0.05

FIXED: Mapping[str, FixedTool] = {tool.name: tool for tool in discovery.TOOLS} | dict(own.TOOLS)
FOUND_FIRST = tuple(tool.name for tool in discovery.TOOLS)


class ListedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as clients see it."""

    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    hints: Hints


class NeedsTasks(msgspec.Struct, frozen=True):
    """The tool is only for clients that know tasks."""

    tool: str


# None is for a name that is not listed.
Called: TypeAlias = Outcome | TaskState | NeedsTasks | None


def check_exposure(exposure: Exposure) -> None:
    """Raises ConfigurationError for a tool that cannot be meant."""
    for named in exposure.tools:
        if named not in (SEARCH, ALL) and named not in FIXED and "." not in named:
            raise ConfigurationError(
                f"--tools {named!r}: it is search, all, MODULE.TYPE or one of {', '.join(sorted(FIXED))}."
            )


def listed(catalogue: ModuleCatalogue, exposure: Exposure) -> list[ListedTool]:
    """The tools that a client is shown, in a stable order: the server's own, then those of modules by name."""
    of_server = [_own(tool) for tool in fixed(exposure)]
    return of_server + [_of_module(tool) for tool in sorted(messages(catalogue, exposure), key=lambda tool: tool.name)]


def fixed(exposure: Exposure) -> Iterator[FixedTool]:
    """The server's own tools by the options."""
    for name, tool in FIXED.items():
        chosen = ALL in exposure.tools or name in exposure.tools or (SEARCH in exposure.tools and name in FOUND_FIRST)
        if chosen and exposure.offers(name) and (tool.hints.read_only or not exposure.read_only):
            yield tool


def messages(catalogue: ModuleCatalogue, exposure: Exposure) -> Iterator[MessageTool]:
    """The tools of modules by the options. A name that two would have, or that the server has, is the fuller one."""
    if exposure.read_only:
        return
    taken = set(FIXED)
    for contract, type in catalogue.messages():
        if ALL not in exposure.tools and f"{contract.module}.{type}" not in exposure.tools:
            continue
        bare = tools_of(contract, type, bare=True) if contract.module in exposure.bare else []
        if not bare or any(tool.name in taken for tool in bare):
            bare = tools_of(contract, type)
        taken |= {tool.name for tool in bare}
        yield from bare


async def call(call: Call, name: str, arguments: dict[str, Any]) -> Called:
    """What comes of calling a tool."""
    exposure = call.desk.exposure
    fixed_tool = next((tool for tool in fixed(exposure) if tool.name == name), None)
    try:
        if fixed_tool is not None:
            broken = breaches(fixed_tool.schema, arguments)
            if broken:
                return refused_arguments(name, fixed_tool.schema, broken, arguments)
            return await fixed_tool.run(call, arguments)
        catalogue = await call.desk.catalogue(call.caller)
        tool = next((tool for tool in messages(catalogue, exposure) if tool.name == name), None)
        return None if tool is None else await _send(call, tool, arguments)
    except ClaudeCommError as error:
        return refused_by(error)


async def _send(call: Call, tool: MessageTool, arguments: dict[str, Any]) -> Called:
    if tool.task == "required" and not call.knows_tasks:
        return NeedsTasks(tool.name)
    if broken := breaches(tool.form.schema, arguments):
        return refused_arguments(tool.name, tool.form.schema, broken, arguments)
    payload = arguments["value"] if tool.form.wrapped else arguments
    asks_first = tool.hints.get("ask") == "first" and call.answers is None
    if not call.knows_tasks or tool.task == "never" or asks_first:
        return await call_module(call, tool.contract, tool.type, payload)
    if refusal := unfit(call, tool.contract, tool.type, payload):
        return refusal
    task = await tasks.begin(call, tool.name, tool.contract, tool.type, payload)
    return task if tool.task != "slow" else await _soon(call, task)


async def _soon(call: Call, task: TaskState) -> Called:
    """The outcome of a task that ends at once; the task itself where it does not."""
    until = asyncio.get_running_loop().time() + GRACE_S
    while asyncio.get_running_loop().time() < until:
        standing = await tasks.find(call, task.id)
        if standing is None or standing.status == "input_required":
            return task
        if standing.end is not None:
            return standing.end.answer if standing.end.answer is not None else Fault(standing.end.error)
        await asyncio.sleep(_LOOK_S)
    return task


def _own(tool: FixedTool) -> ListedTool:
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema,
        output_schema=None,
        hints=tool.hints,
    )


def _of_module(tool: MessageTool) -> ListedTool:
    declared = tool.contract.replies.get(tool.type)
    shape = None if declared is None or answers_agents(declared) else result_schema(declared)
    said = tool.hints
    hints = Hints(
        read_only=said.get("readOnly") is True,
        destructive=said.get("destructive", SENDS.destructive) is not False,
        idempotent=said.get("idempotent") is True,
        open_world=said.get("openWorld", SENDS.open_world) is not False,
    )
    return ListedTool(
        name=tool.name,
        title=str(said.get("title", f"{tool.module}: {tool.type}")),
        description=tool.description,
        input_schema=tool.form.schema,
        output_schema=shape.schema if shape else None,
        hints=hints,
    )
