"""Connections that redis-py opens: those with TLS or with options in their address, and all of asyncio's.

Law: its retry is off, which was seen to write a message twice, and so are its notices of its own version. Its errors
become ours here.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from typing import Any

import redis
import redis.connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from claude_comm.addresses import public
from claude_comm.errors import ConfigurationError
from claude_comm.transport.connection import Opener
from claude_comm.transport.replies import Disconnected, ErrorReply, check_version


def connection_options(url: str) -> dict[str, Any]:
    """redis-py connection arguments for a `redis://`, `rediss://` or `unix://` address."""
    try:
        parsed = redis.connection.parse_url(url)
    except ValueError as error:
        raise ConfigurationError(f"the server's address {public(url)} cannot be used: {error}") from None
    kind = parsed.get("connection_class", redis.connection.Connection)
    odd = parsed.keys() - {"connection_class", "host", "port", "path", "db", "username", "password"}
    if unknown := sorted(odd and odd - _arguments(kind)):
        raise ConfigurationError(f"the server's address {public(url)} has an option that nobody reads: {unknown[0]!r}.")
    return {
        "protocol": 3,
        "legacy_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
        **parsed,
    }


def _arguments(kind: type) -> set[str]:
    """What a connection of this kind, and those that it is derived from, may be opened with."""
    makers = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    return {name for maker in makers for name in inspect.signature(maker).parameters}


def redis_opener(url: str) -> Opener:
    """As `Endpoint.open`, by redis-py. Raises ConfigurationError."""
    options = connection_options(url)
    kind = options.pop("connection_class", redis.connection.Connection)
    local = kind is redis.connection.UnixDomainSocketConnection
    if local:
        options.pop("socket_connect_timeout", None)
    else:
        options["socket_keepalive"] = True

    def open_socket(connect_s: float, step_s: float) -> socket.socket:
        bounds = (
            {"socket_timeout": step_s} if local else {"socket_timeout": step_s, "socket_connect_timeout": connect_s}
        )
        connection = kind(**{**options, **bounds})
        with_errors_of_ours(connection.connect)
        try:
            check_version(connection.handshake_metadata)
        except ErrorReply:
            connection.disconnect()
            raise
        opened: socket.socket = connection._sock
        # From here on the socket is ours: the connection that opened it must not end it when it is collected.
        connection._sock = None
        return opened

    return open_socket


def with_errors_of_ours(connect: Callable[[], object]) -> None:
    try:
        connect()
    except redis.RedisError as error:
        raise translated(error) from None


def translated(error: redis.RedisError) -> ErrorReply | Disconnected:
    """The error of `transport.replies` that one of redis-py means."""
    if not isinstance(error, redis.ResponseError | redis.AuthenticationError):
        return Disconnected(str(error) or type(error).__name__)
    code, text = error.status_code, str(error)
    return ErrorReply(f"{code} {text}" if code and not text.startswith(code) else text)
