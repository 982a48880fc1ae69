"""The progress that a module reports while it handles a message, told to the client that waits for the reply.

Law: only for a client that asked for it, and only while the call runs; what is told increases. A server that is away
for a moment costs progress, and never the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from claude_comm import envelope as envelopes
from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.desk.call import Call
from claude_comm.ops import agent_tasks
from claude_comm.progress.events import EVENT_TYPE, TaskProgress, decode_event

_LOOK_S = 0.05


@asynccontextmanager
async def reporting(call: Call, module: str, session: str) -> AsyncIterator[None]:
    """Within it, what the module reports of this session goes to the client."""
    if not call.wants_progress:
        yield
        return
    follower = _Follower(call, module, session)
    await follower.start()
    following = asyncio.create_task(follower.follow())
    try:
        yield
        with suppress(ClaudeCommError):
            await follower.look()
    finally:
        following.cancel()
        await asyncio.wait([following])


class _Follower:
    def __init__(self, call: Call, module: str, session: str) -> None:
        self._call, self._session = call, session
        self._stream = call.desk.keys.events(module)
        self._position, self._told = "0-0", -1.0
        self._max_bytes = call.desk.settings.max_envelope_bytes
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        with suppress(ClaudeCommError):
            self._position = await self._call.desk.run(agent_tasks.position(self._stream))

    async def follow(self) -> None:
        while True:
            with suppress(ClaudeCommError):
                await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Tells what has come since the last look."""
        async with self._lock:
            rows, self._position = await self._call.desk.run(agent_tasks.since(self._stream, self._position))
            for body in rows:
                report = progress_of(body, self._session, self._max_bytes)
                if report is not None and report.completed > self._told:
                    self._told = report.completed
                    await self._call.report(report.completed, report.total, report.task)


def progress_of(body: bytes, session: str, max_bytes: int) -> TaskProgress | None:
    """The report of a task that an event of this session is; None for any other entry."""
    try:
        envelope = envelopes.decode(body, max_bytes=max_bytes)
        if envelope.session != session or envelope.type != EVENT_TYPE:
            return None
        event = decode_event(envelope.data)
    except ClaudeCommError:
        return None
    return event if isinstance(event, TaskProgress) else None
