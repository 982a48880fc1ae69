"""One blocking connection, stripped to what a round trip needs.

Law: `transport.opening` opens the connection (address, TLS, authentication, RESP3); from then on bytes go out and
replies come in here, with nothing between. The n-th reply is the n-th command's. A connection whose exchange was not
seen through to its end is closed, so that no late reply answers the next command; nothing is tried again.

redis-py's own path takes a connection's lock, a health check, two metrics, a `poll` before each read and each write and
a change of the socket's timeout around each read: together more than the server's work on one message.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import hiredis

from claude_comm.transport.replies import NOT_ENOUGH_DATA, Disconnected, reader

_READ_BYTES = 1 << 16
# What the kernel keeps of what was sent and not read: two parts of a pipeline, so that the next is packed while the
# server reads the one before. By default it is 208 KB, and the sender of a part waits until most of it was read.
_SEND_BYTES = 1 << 20

# A time that was set before stands for one that is shorter by as little: to set it takes two calls of the system, and
# reads that wait for messages alternate with reads that do not.
_LONGER = 1.05

# Opens a socket, greeted; the times are for connecting and for each step after that.
# Raises Disconnected, ErrorReply or OSError.
Opener: TypeAlias = Callable[[float, float], socket.socket]


class Connection:
    """A socket to a server that has greeted us. Raises Disconnected, and OSError."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._pid = os.getpid()
        self._reader = reader()
        self._buffer = bytearray(_READ_BYTES)
        # The kernel keeps the time of a plain socket; TLS, which may read twice for one message, keeps its own.
        self._kernel_waits = type(self._socket) is socket.socket
        if self._socket.family == getattr(socket, "AF_UNIX", None):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._within_s = 0.0
        self._idle = select.poll()
        self._idle.register(self._socket, select.POLLIN)
        if self._kernel_waits:
            self._socket.settimeout(None)

    def usable(self) -> bool:
        """Whether nothing came while nobody waited: neither the connection's end nor a stray reply."""
        return not self._idle.poll(0)

    def send(self, packed: bytes, within_s: float) -> None:
        if not within_s <= self._within_s <= within_s * _LONGER:
            self._bound(within_s)
        self._socket.sendall(packed)

    def read(self, count: int) -> list[Any]:
        """The next `count` replies, error replies as values; within the time given with the last `send`."""
        replies: list[Any] = []
        self.complete(replies, count)
        return replies

    def complete(self, replies: list[Any], count: int) -> bool:
        """Adds to `replies` what is missing of `count` in all; True."""
        while not self._gather(replies, count):
            self._receive()
        return True

    def complete_now(self, replies: list[Any], count: int) -> bool:
        """The same of what has come, without waiting; whether that is all. Over TLS, which may need several reads for
        one reply, nobody knows what has come: nothing."""
        while not self._gather(replies, count):
            if not (self._kernel_waits and self._idle.poll(0)):
                return False
            self._receive()
        return True

    def _gather(self, replies: list[Any], count: int) -> bool:
        """Adds to `replies` what was received of `count` in all; whether that is all of them."""
        gets, missing = self._reader.gets, count - len(replies)
        while missing:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                return False
            # Nearly every reply is the id of an entry.
            if reply.__class__ is bytes or not isinstance(reply, hiredis.PushNotification):
                replies.append(reply)
                missing -= 1
        return True

    def close(self) -> None:
        """At once. A child's copy is only closed: the connection is still its parent's."""
        if self._pid == os.getpid():
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __del__(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            raise Disconnected(f"no reply within {self._within_s:g} s") from None
        if not size:
            raise Disconnected("the server closed the connection")
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
