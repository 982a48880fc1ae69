"""Opening one blocking connection: the socket, then the greeting (RESP3, login, database).

Law: a plain address (a host and a port, or a path, a login and a database) is opened here, since that is 30 lines and
importing redis-py takes longer than all the rest of a command. What says more, TLS or an option in the address, is
opened by redis-py, which knows its options. Both send the same greeting, and nothing is tried again.
"""

from __future__ import annotations

import socket
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import hiredis

from claude_comm.addresses import DEFAULT_PORT
from claude_comm.transport.connection import Opener
from claude_comm.transport.replies import NOT_ENOUGH_DATA, Disconnected, ErrorReply, check_version, reader

_READ_BYTES = 1 << 12


class Endpoint(NamedTuple):
    """A plain address; a path stands for a Unix socket."""

    host: str
    port: int
    path: str
    username: str
    password: str
    database: int

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    def open(self, connect_s: float, step_s: float) -> socket.socket:
        try:
            opened = self._connected(connect_s, step_s)
        except TimeoutError:
            raise Disconnected("Timeout connecting to server") from None
        except OSError as error:
            raise Disconnected(_message(self, error)) from None
        try:
            opened.settimeout(step_s)
            hello, *more = self._greeting()
            check_version(ask(opened, hello))
            for command in more:
                ask(opened, command)
        except BaseException:
            opened.close()
            raise
        return opened

    def _connected(self, connect_s: float, step_s: float) -> socket.socket:
        if not self.path:
            opened = socket.create_connection((self.host, self.port), connect_s)
            try:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            except BaseException:
                opened.close()
                raise
            return opened
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(step_s)
        try:
            opened.connect(self.path)
        except BaseException:
            opened.close()
            raise
        return opened

    def _greeting(self) -> list[tuple[str | int, ...]]:
        login: tuple[str, ...] = ()
        if self.username or self.password:
            login = ("AUTH", self.username or "default", self.password)
        hello: tuple[str | int, ...] = ("HELLO", 3, *login)
        return [hello, ("SELECT", self.database)] if self.database else [hello]


def plain_endpoint(url: str) -> Endpoint | None:
    """The parts of an address; None where it asks for what redis-py alone can do, or cannot be read."""
    try:
        parts = urlsplit(url)
        host, port = unquote(parts.hostname or "localhost"), parts.port or DEFAULT_PORT
    except ValueError:
        return None
    if parts.query or parts.scheme not in ("redis", "unix"):
        return None
    login = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        return Endpoint("", 0, unquote(parts.path), *login, 0) if parts.path else None
    database = unquote(parts.path).replace("/", "")
    if database and not (database.isascii() and database.isdigit()):
        return None
    return Endpoint(host, port, "", *login, int(database or 0))


def opener(url: str) -> Opener:
    """How connections to that address are opened. Raises ConfigurationError for an address that cannot be used."""
    endpoint = plain_endpoint(url)
    if endpoint is not None:
        return endpoint.open
    # Imported where an address asks for it: redis-py takes 700 files and 20 times a bare interpreter's start.
    from claude_comm.transport.redis_py import redis_opener

    return redis_opener(url)


def ask(opened: socket.socket, command: tuple[str | int, ...]) -> Any:
    """Sends one command of the greeting and takes its reply."""
    opened.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]
    replies = reader()
    while (reply := replies.gets()) is NOT_ENOUGH_DATA or isinstance(reply, hiredis.PushNotification):
        if reply is NOT_ENOUGH_DATA:
            replies.feed(_received(opened))
    if isinstance(reply, ErrorReply):
        raise Disconnected(reply.text) if reply.text == "max number of clients reached" else reply
    return reply


def _received(opened: socket.socket) -> bytes:
    try:
        data = opened.recv(_READ_BYTES)
    except TimeoutError:
        raise Disconnected("Timeout reading from socket") from None
    if not data:
        raise Disconnected("Connection closed by server.")
    return data


def _message(endpoint: Endpoint, error: OSError) -> str:
    if error.errno is None:
        return f"Error connecting to {endpoint}. {error}."
    return f"Error {error.errno} connecting to {endpoint}. {error.strerror or error}."
