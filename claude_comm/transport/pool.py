"""One server, reached over connections that redis-py opens; blocking.

Law: replies are what the server sent (RESP3), untouched by redis-py's per-command callbacks, whose shapes move
between its versions. redis-py's own retry is off: it was seen to write a message twice. Every foreign error
becomes one of ours here.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, NoReturn

import hiredis
import redis
import redis.connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from claude_comm.effects import REPLY_WITHIN_MS, Argument, Command, Post, Reach
from claude_comm.errors import (
    NOT_READY,
    ConfigurationError,
    ServerNotReady,
    ServerRefused,
    ServerUnreachable,
    TransportError,
)
from claude_comm.settings import public
from claude_comm.transport.connection import Connection

REPLY_TIMEOUT_S = REPLY_WITHIN_MS / 1000
CONNECT_TIMEOUT_S = 5.0

# How many entries travel together: enough to keep the server at work while the next part is packed.
APPEND_PART = 500
_XADD = b"*5\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\ne\r\n$"

pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


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
        "socket_timeout": REPLY_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "driver_info": None,
        **parsed,
    }


def _arguments(kind: type) -> set[str]:
    """What a connection of this kind, and those that it is derived from, may be opened with."""
    import inspect  # only where the server's address has options of its own

    makers = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    return {name for maker in makers for name in inspect.signature(maker).parameters}


class ConnectionPool:
    """Blocking connections to one server, as many as are used at once; safe to share between threads and to fork."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        options = connection_options(url)
        kind = options.pop("connection_class", redis.connection.Connection)
        self._local = kind is redis.connection.UnixDomainSocketConnection
        if not self._local:
            options["socket_keepalive"] = True
        else:
            options.pop("socket_connect_timeout")
        self._open = partial(kind, **options)
        self._pid = os.getpid()
        # Those at rest, the one used last on top; and all, for `close`.
        self._idle: list[Connection] = []
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()

    def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        replies = self._exchange([(pack(command.args), 1)], (command.within_ms + command.wait_ms) / 1000)
        if isinstance(replies[0], redis.RedisError):
            raise outcomes(replies, self.close_idle)[0]
        return replies[0]

    def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait.
        """
        if not commands:
            return []
        together = b"".join([pack(command.args) for command in commands])
        replies = self._exchange([(together, len(commands))], REPLY_TIMEOUT_S + wait_ms / 1000)
        return outcomes(replies, self.close_idle)

    def post(self, commands: Sequence[Command], wait_ms: int = 0) -> PendingReplies:
        """Sends a pipeline and does not wait for its replies. Raises ServerUnreachable."""
        together = b"".join([pack(command.args) for command in commands])
        connection = self.take(REPLY_TIMEOUT_S)
        try:
            connection.send(together, REPLY_TIMEOUT_S + wait_ms / 1000)
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self.broken(connection, error)
        return PendingReplies(self, connection, len(commands))

    def append(self, posts: Sequence[Post]) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused."""
        parts = (posts[start : start + APPEND_PART] for start in range(0, len(posts), APPEND_PART))
        replies = self._exchange(((packed(part), len(part)) for part in parts), REPLY_TIMEOUT_S)
        return outcomes(replies, self.close_idle)

    def pools(self) -> list[ConnectionPool]:
        """Itself: what a cluster has several of."""
        return [self]

    def borrowed(self, within_s: float) -> Borrowed:
        """A connection for the length of a `with`. What goes wrong within it is translated, and ends the connection."""
        return Borrowed(self, within_s)

    def take(self, within_s: float) -> Connection:
        """A connection that is at rest and alive, else a new one, opened within that time: a server that accepts and
        never answers must not take longer than the caller may wait. Give it to `give_back` or `broken`."""
        if self._pid != os.getpid():
            # The parent's connections are its own; here their sockets are only closed, when nothing holds them.
            self._pid, self._idle, self._connections = os.getpid(), [], weakref.WeakSet()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if connection.usable():
                return connection
            connection.close()
        try:
            connection = Connection(self._open(**self._bounds(within_s)))
        except (redis.RedisError, OSError) as error:
            translate(error, self.url)
        self._connections.add(connection)
        return connection

    def _bounds(self, within_s: float) -> dict[str, float]:
        """What of that time each step of opening may take."""
        step_s = min(within_s, REPLY_TIMEOUT_S)
        if self._local:
            return {"socket_timeout": step_s}
        return {"socket_timeout": step_s, "socket_connect_timeout": min(within_s, CONNECT_TIMEOUT_S)}

    def give_back(self, connection: Connection) -> None:
        """Takes back a connection all of whose replies were read."""
        self._idle.append(connection)

    def broken(self, connection: Connection, error: BaseException) -> NoReturn:
        """Interrupted between a command and its reply: that reply must not answer the next command."""
        connection.close()
        if isinstance(error, redis.RedisError | OSError):
            translate(error, self.url)
        raise error

    def close_idle(self) -> None:
        """Ends the connections that are not in use."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def close(self) -> None:
        """Ends all connections, also those in use."""
        self._idle.clear()
        for connection in list(self._connections):
            connection.close()

    def _exchange(self, parts: Iterable[tuple[bytes, int]], within_s: float) -> list[Any]:
        """The replies to packed commands, given in parts with the number of commands in each.

        While the server works on one part, its replies to the part before are read and the next is packed.
        """
        replies: list[Any] = []
        unread = 0
        with Borrowed(self, within_s) as connection:
            for together, count in parts:
                connection.send(together, within_s)
                if unread:
                    replies += connection.read(unread)
                unread = count
            replies += connection.read(unread)
        return replies


class Borrowed:
    """A connection of a server for the length of a `with`; a generator would cost more than what it does."""

    __slots__ = ("_connection", "_pool", "_within_s")

    def __init__(self, pool: ConnectionPool, within_s: float) -> None:
        self._pool, self._within_s = pool, within_s

    def __enter__(self) -> Connection:
        self._connection = self._pool.take(self._within_s)
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._pool.broken(self._connection, error)
        self._pool.give_back(self._connection)


class PendingReplies:
    """The replies to a pipeline, still to be read, on a connection of its own. Land and read them, or drop them."""

    def __init__(self, pool: ConnectionPool, connection: Connection, count: int) -> None:
        self._pool, self._connection, self._count = pool, connection, count
        self._landed: list[Any] | TransportError | None = None

    def land(self) -> bool:
        """Waits for them; False if the server does not answer."""
        if self._landed is None:
            try:
                self._landed = self._read()
            except TransportError as error:
                self._landed = error
        return not isinstance(self._landed, TransportError)

    def landed(self) -> list[Any]:
        """What has landed, in order; an error reply is a ServerRefused in its place. Raises ServerUnreachable."""
        if isinstance(self._landed, TransportError):
            raise self._landed
        return self._landed or []

    def drop(self) -> None:
        """Gives up the replies, and the connection with them; one that has landed gave its connection back."""
        if self._landed is None:
            self._connection.close()

    def _read(self) -> list[Any]:
        try:
            replies = self._connection.read(self._count)
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self._pool.broken(self._connection, error)
        self._pool.give_back(self._connection)
        return outcomes(replies, self._pool.close_idle)


def packed(posts: Sequence[Post]) -> bytes:
    """The XADD commands of these posts in the protocol's own form, which for this one command is short."""
    prefixes: dict[str, bytes] = {}
    parts = []
    for post in posts:
        prefix = prefixes.get(post.stream)
        if prefix is None:
            key = post.stream.encode()
            prefix = prefixes[post.stream] = _XADD % (len(key), key)
        parts.append(b"%b%d\r\n%b\r\n" % (prefix, len(post.body), post.body))
    return b"".join(parts)


def outcomes(replies: list[Any], in_doubt: Callable[[], object]) -> list[Any]:
    """Replies with redis-py's error values made ours.

    A server in another state may have been replaced behind its address: then `in_doubt` is called, which drops the
    connections to it. Raises ServerNotReady where that is the answer to all.
    """
    errors = [place for place, reply in enumerate(replies) if isinstance(reply, redis.RedisError)]
    if not errors:
        return replies
    for place in errors:
        replies[place] = refused(replies[place])
    if any(isinstance(replies[place], ServerNotReady) for place in errors):
        in_doubt()
        if all(isinstance(reply, ServerNotReady) for reply in replies):
            raise replies[0]
    return replies


def refused(error: redis.RedisError) -> TransportError:
    """The server's own error, with its code kept first (`OOM`, `BUSYGROUP`, `NOGROUP`, ...)."""
    text = str(error).rstrip(".")
    code = error.status_code or text.split(" ", 1)[0]
    return ServerNotReady(text, code=code) if code in NOT_READY else ServerRefused(text, code=code)


def translated(error: Exception, url: str) -> TransportError:
    """The error of ours that a redis-py error means."""
    if isinstance(error, redis.ResponseError | redis.AuthenticationError):
        return refused(error)
    return ServerUnreachable(public(url), str(error) or type(error).__name__)


def translate(error: Exception, url: str) -> NoReturn:
    """Raises the error of ours that a redis-py error means."""
    raise translated(error, url) from None
