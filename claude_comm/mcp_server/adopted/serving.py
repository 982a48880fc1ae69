"""An adopted server as a running module: calls become requests to its tools, and its list is watched.

Law: a changed list of tools is let in only where it breaks no agreement in force. Until each partner that it would
break has approved it (`claude-comm contract approve`), the module runs by the contract of before. A tool's own error
is a failure of the message, and is not tried again: nobody knows what it has done. Neither is a call during which the
server ended, unless the tool says that it reads or may be repeated; calls that had not begun wait until it is back.
Whoever cancels `adopt` waits for the calls under way.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, CallToolResult

from claude_comm.addresses import public
from claude_comm.client.identity import micros, millis
from claude_comm.client.module.module import Module
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.adopted.listing import Adoption, adoption, following, may_repeat
from claude_comm.names import Keys
from claude_comm.ops import registration, registry
from claude_comm.registry.contracts import Contract
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect

# How often the list is asked for again, whether or not the server told of a change; and the wait for one that is away.
LOOK_S, AWAY_S = 5.0, 1.0
CONCURRENCY = 16
# For calls to a server that has gone: by the next attempt it is back, or the module has stopped until it is.
_RETRIES, _FIRST_WAIT_S, _LONGEST_WAIT_S = 20, 0.5, 10.0
_ADDRESSES = ("http://", "https://")


class ToolFailed(ClaudeCommError):
    """An adopted tool answered with an error."""

    def __init__(self, tool: str, words: str) -> None:
        super().__init__(f"the tool {tool!r} answered with an error: {words}")


class CallLost(ClaudeCommError):
    """The server ended during a call."""

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"the server of the tool {tool!r} ended during the call, which may have done its work or not. See what it"
            " did; `claude-comm dead redrive` calls it again."
        )


class ServerAway(ClaudeCommError):
    """The server has gone, and the call may be made when it is back."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"the server of the tool {tool!r} is away; the call is made again.")


class AdoptedModule(Module):
    """A module whose contract is that of a list of tools."""

    def __init__(self, declared: Contract, settings: Settings) -> None:
        super().__init__(
            declared.module,
            version=declared.version,
            settings=settings,
            retry=RetryPolicy(
                attempts=_RETRIES, first_wait_s=_FIRST_WAIT_S, longest_wait_s=_LONGEST_WAIT_S, retried=(ServerAway,)
            ),
            concurrency=CONCURRENCY,
            hold=True,
        )
        self._declared_contract = declared

    def contract(self) -> Contract:
        return msgspec.structs.replace(self._declared_contract, registered_us=micros())


async def adopt(settings: Settings, name: str, source: str, say: Callable[[str], None]) -> None:
    """Runs until it is cancelled, and ends when the calls under way have ended. A server that ends or is away is
    started, or asked, again."""
    log = get_logger(settings.log_level, module=name)
    while True:
        try:
            async with Client(_transport(server_of(source)), cache=None) as client:
                await _Adopted(settings, name, client, say).run()
        except (OSError, MCPError, ExceptionGroup) as error:
            # Where the server goes as this is cancelled, the task group of the client raises the one and not the other.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from error
            log.warning("adopted.away", source=shown(source), error=str(error))
            await asyncio.sleep(AWAY_S)


def server_of(source: str) -> Any:
    """What the SDK connects to: an address, or a command to start. The command is given this environment without our
    settings: a program that others wrote has no business with the server's password."""
    if source.startswith(_ADDRESSES):
        return source
    command, *arguments = shlex.split(source)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
    return StdioServerParameters(command=command, args=arguments, env=environment)


def _transport(server: Any) -> Any:
    """By itself the SDK gives a program the standard error that this process had when the SDK was imported."""
    return stdio_client(server, errlog=sys.stderr) if isinstance(server, StdioServerParameters) else server


async def _ended(running: asyncio.Task[int]) -> None:
    """Returns when it has ended. A cancellation meanwhile is raised after that; a failure is, and it being cancelled is
    not."""
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    if not running.cancelled():
        running.result()


def shown(source: str) -> str:
    """The server as logs name it: an address without what logs in, or the program without its arguments."""
    if source.startswith(_ADDRESSES):
        return public(source.partition("?")[0])
    return shlex.split(source)[0]


class _Adopted:
    def __init__(self, settings: Settings, name: str, client: Client, say: Callable[[str], None]) -> None:
        self._settings, self._name, self._client, self._say = settings, name, client, say
        self._keys = Keys(settings.namespace)
        # Set by the first call that finds the server gone: those after it wait.
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Runs the module by one list after another."""
        while True:
            listed = await self._tools()
            chosen = await asyncio.to_thread(self._let_in, listed)
            module = self._module(chosen)
            running = asyncio.create_task(module.serve())
            try:
                await self._changed(listed, running)
            finally:
                module.stop()
                await _ended(running)

    async def _changed(self, listed: Sequence[Any], running: asyncio.Task[int]) -> None:
        """Returns when the list is another one, a version that waited was approved, or the server has gone."""
        current = await asyncio.to_thread(self._current)
        lost = asyncio.create_task(self._lost.wait())
        try:
            while True:
                done, _ = await asyncio.wait([running, lost], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if done or await self._is_other(listed, current):
                    return
        finally:
            lost.cancel()

    async def _is_other(self, listed: Sequence[Any], current: str) -> bool:
        return await self._tools() != listed or await asyncio.to_thread(self._current) != current

    async def _tools(self) -> list[Any]:
        listed: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self._client.list_tools(cursor=cursor)
            listed += [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor:
                return listed

    def _let_in(self, listed: Sequence[Any]) -> Adoption:
        """What to run by: the new list, or the one before where the new one would break somebody."""
        info = self._client.server_info
        new = adoption(self._name, listed, description=info.name if info else "")
        for note in new.notes:
            self._say(f"Note: {note.path}: {note.sentence}")
        with connect(self._settings) as client:
            old = client.run(registry.find(self._keys, self._name))
            if old is None:
                return new
            new = following(old, new)
            declared = msgspec.structs.replace(new.contract, registered_us=micros())
            made = client.run(registration.register(self._keys, declared, hold=True))
        if not made.pending:
            return new
        waits = ", ".join(partner.partner for partner in made.broken)
        self._say(
            f"The tools have changed to version {declared.version}, which breaks {waits}: {old.version} runs on."
            f" `claude-comm contract approve {self._name} {declared.version} --by PARTNER` lets it in."
        )
        return Adoption(old, {type: new.tools.get(type, type) for type in old.accepts}, [])

    def _current(self) -> str:
        with connect(self._settings) as client:
            standing = client.run(registry.standing(self._keys, self._name, now_ms=millis()))
            release = standing.current if standing else None
            return release.digest if release else ""

    def _module(self, chosen: Adoption) -> Module:
        module = AdoptedModule(chosen.contract, self._settings)
        for type, tool in chosen.tools.items():
            module.handles(type, accepts=chosen.contract.accepts[type])(self._handler(chosen, type, tool))
        return module

    def _handler(self, chosen: Adoption, type: str, tool: str) -> Callable[[Any], Any]:
        repeatable = may_repeat(chosen.contract.accepts[type])

        async def call(payload: Any) -> Any:
            result = await self._called(tool, payload if isinstance(payload, dict) else {}, repeatable=repeatable)
            content = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
            if result.is_error:
                raise ToolFailed(tool, " ".join(str(block.get("text", "")) for block in content).strip())
            if chosen.answers_data(type):
                return result.structured_content
            answer = {"mcp": "answer", "content": content}
            return answer if result.structured_content is None else {**answer, "structured": result.structured_content}

        return call

    async def _called(self, tool: str, arguments: dict[str, Any], *, repeatable: bool) -> CallToolResult:
        """Raises ServerAway where the call may be made later, and CallLost where nobody knows what it did."""
        if self._lost.is_set():
            raise ServerAway(tool)
        try:
            return await self._client.call_tool(tool, arguments)
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise
            self._lost.set()
            raise (ServerAway(tool) if repeatable else CallLost(tool)) from None
