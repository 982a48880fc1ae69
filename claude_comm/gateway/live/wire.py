"""A WebSocket's bytes: frames that are built once for all who get them, and written without waiting.

Law: whoever writes never waits, and is asked not to write while the client does not read (`writable`). A connection
that is closed is gone after `END_S`, whether its client reads or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# The name in the scope's `extensions` under which an application finds the wire.
EXTENSION = "claude-comm.wire"
# How long a client may take to answer a close, and to read what was written before it.
END_S = 5.0
_TEXT, _BINARY = 0x81, 0x82
_CONTROL_BYTES = 123

Room: TypeAlias = Callable[[], None]


def frame(payload: bytes, *, text: bool = True) -> bytes:
    """The bytes of a whole message from a server: not masked, not compressed (RFC 6455, 5.2)."""
    opcode, size = _TEXT if text else _BINARY, len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


class Wire(WebSocketsSansIOProtocol):
    """uvicorn's connection, with a way past its `send`: that one awaits the client, and builds each frame anew."""

    on_room: Room | None = None

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        extensions[EXTENSION] = self
        await super().run_asgi()

    @property
    def writable_now(self) -> bool:
        """Whether the client reads: less than the transport's high-water mark (64 KiB) waits for it."""
        return self.writable.is_set() and not self._gone

    def write(self, frames: bytes) -> None:
        """Whole frames; nothing where the connection is gone."""
        if not self._gone:
            self.transport.write(frames)

    def end(self, code: int, reason: str) -> None:
        """Closes: the reader is told now, the client after what was written."""
        if self._gone:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason.encode()[:_CONTROL_BYTES].decode(errors="ignore"))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(END_S, self.transport.abort)

    def forget_handshake(self) -> None:
        """Drops what only the handshake needed."""
        self.scope["headers"] = []
        del self.request, self.response

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_room is not None:
            self.on_room()

    def keepalive_timeout(self) -> None:
        """A client that does not answer pings does not read either: what waits for it would be kept for ever."""
        super().keepalive_timeout()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_room = None
        super().connection_lost(exc)

    @property
    def _gone(self) -> bool:
        return self.disconnected or self.close_sent or self.transport.is_closing()
