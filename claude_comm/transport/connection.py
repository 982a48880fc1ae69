"""One blocking connection, stripped to what a round trip needs.

Law: redis-py opens the connection (address, TLS, authentication, RESP3); from then on bytes go out and replies come in
here, with nothing between. The n-th reply is the n-th command's. A connection whose exchange was not seen through to
its end is closed, so that no late reply answers the next command; nothing is tried again.

redis-py's own path takes a connection's lock, a health check, two metrics, a `poll` before each read and each write and
a change of the socket's timeout around each read: together more than the server's work on one message.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

import hiredis
import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA

_READ_BYTES = 1 << 16


class Connection:
    """A connection of redis-py that is connected. Raises redis-py's errors, and OSError."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        connection.connect()
        self._socket: socket.socket = connection._sock
        self._reader: Any = connection._parser._reader
        self._buffer = bytearray(_READ_BYTES)
        # The kernel keeps the time of a plain socket; TLS, which may read twice for one message, keeps its own.
        self._kernel_waits = type(self._socket) is socket.socket
        self._within_s = 0.0
        self._idle = select.poll()
        self._idle.register(self._socket, select.POLLIN)
        if self._kernel_waits:
            self._socket.settimeout(None)

    def usable(self) -> bool:
        """Whether nothing came while nobody waited: neither the connection's end nor a stray reply."""
        return not self._idle.poll(0)

    def send(self, packed: bytes, within_s: float) -> None:
        if within_s != self._within_s:
            self._bound(within_s)
        self._socket.sendall(packed)

    def read(self, count: int) -> list[Any]:
        """The next `count` replies, error replies as values; within the time given with the last `send`."""
        replies: list[Any] = []
        gets = self._reader.gets
        while len(replies) < count:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                self._receive()
            elif isinstance(reply, redis.ConnectionError):
                raise reply
            elif not isinstance(reply, hiredis.PushNotification):
                replies.append(reply)
        return replies

    def close(self) -> None:
        self._connection.disconnect()

    def _receive(self) -> None:
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            raise redis.TimeoutError(f"no reply within {self._within_s:g} s") from None
        if not size:
            raise redis.ConnectionError("the server closed the connection")
        self._reader.feed(self._buffer, 0, size)

    def _bound(self, within_s: float) -> None:
        if self._kernel_waits:
            whole = int(within_s)
            value = struct.pack("@ll", whole, max(int((within_s - whole) * 1_000_000), 0 if whole else 1))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
        else:
            self._socket.settimeout(within_s)
        self._within_s = within_s
