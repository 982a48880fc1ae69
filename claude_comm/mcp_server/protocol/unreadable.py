"""Lines from a client that are no message: each is answered with an error of JSON-RPC, and the next one is read.

Law: the SDK only logs them, so whoever sent one would wait for ever. An answer has no id, because none could be read.
"""

from __future__ import annotations

from contextvars import Context
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError


class AnsweringStream:
    """The messages of a stream, without what is none of them; that is answered on `writing`."""

    def __init__(self, reading: Any, writing: Any) -> None:
        self._reading, self._writing = reading, writing

    @property
    def last_context(self) -> Context | None:
        """As the SDK's streams have it."""
        context: Context | None = getattr(self._reading, "last_context", None)
        return context

    async def receive(self) -> SessionMessage:
        while isinstance(item := await self._reading.receive(), Exception):
            error = JSONRPCError(jsonrpc="2.0", id=None, error=answer_to(item))
            await self._writing.send(SessionMessage(error))
        message: SessionMessage = item
        return message

    async def aclose(self) -> None:
        await self._reading.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


def answer_to(error: Exception) -> ErrorData:
    """What is wrong with a line: it is no JSON, or no message of JSON-RPC."""
    if isinstance(error, ValidationError) and all(part["type"] != "json_invalid" for part in error.errors()):
        return ErrorData(code=INVALID_REQUEST, message="Invalid Request: this line is no message of JSON-RPC 2.0.")
    return ErrorData(code=PARSE_ERROR, message="Parse error: this line is no JSON. A message is one line of it.")
