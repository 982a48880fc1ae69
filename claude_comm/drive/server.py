"""One server, reached over redis-py's connection pool; blocking.

Law: replies are what the server sent (RESP3), untouched by redis-py's per-command callbacks, whose shapes move
between its versions. redis-py's own retry is off: it was seen to write a message twice. Every foreign error
becomes one of ours here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, UnixDomainSocketConnection
from redis.retry import Retry

from claude_comm.drive.parser import BulkParser
from claude_comm.effects import REPLY_WITHIN_MS, Argument, Command, Post, Reach
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.settings import public

REPLY_TIMEOUT_S = REPLY_WITHIN_MS / 1000
CONNECT_TIMEOUT_S = 5.0

# How many entries travel together: enough to keep the server at work while the next part is packed.
APPEND_PART = 500
_XADD = b"*5\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\ne\r\n$"

pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


def connection_options(url: str) -> dict[str, Any]:
    """redis-py connection arguments for a `redis://`, `rediss://` or `unix://` address."""
    return {
        "protocol": 3,
        "legacy_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": REPLY_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "driver_info": None,
        "parser_class": BulkParser,
        **redis.connection.parse_url(url),
    }


class Server:
    """A pool of blocking connections to one server; safe to share between threads."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        options = connection_options(url)
        kind = options.get("connection_class")
        if kind is not UnixDomainSocketConnection:
            options["socket_keepalive"] = True
        else:
            options.pop("socket_connect_timeout")
        self._pool = ConnectionPool(**options)

    def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        with self._connection() as connection:
            connection.send_packed_command([pack(command.args)])
            return connection.read_response(timeout=(command.within_ms + command.wait_ms) / 1000)

    def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait.
        """
        if not commands:
            return []
        with self._connection() as connection:
            connection.send_packed_command([b"".join([pack(command.args) for command in commands])])
            return outcomes(connection._parser.read_many(len(commands), REPLY_TIMEOUT_S + wait_ms / 1000))

    def post(self, commands: Sequence[Command], wait_ms: int = 0) -> Posted:
        """Sends a pipeline and does not wait for its replies. Raises ServerUnreachable."""
        connection = self._held()
        try:
            connection.send_packed_command([b"".join([pack(command.args) for command in commands])])
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self._broken(connection, error)
        return Posted(self, connection, len(commands), REPLY_TIMEOUT_S + wait_ms / 1000)

    def append(self, posts: Sequence[Post]) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused.

        While the server works on one part, its replies to the part before are read and the next is packed.
        """
        replies: list[Any] = []
        with self._connection() as connection:
            unread = 0
            for start in range(0, len(posts), APPEND_PART):
                part = posts[start : start + APPEND_PART]
                connection.send_packed_command([packed(part)])
                replies += connection._parser.read_many(unread, REPLY_TIMEOUT_S)
                unread = len(part)
            replies += connection._parser.read_many(unread, REPLY_TIMEOUT_S)
        return outcomes(replies)

    def servers(self) -> list[Server]:
        """Itself: what a cluster has several of."""
        return [self]

    def close(self) -> None:
        self._pool.close()

    def _held(self) -> Any:
        try:
            return self._pool.get_connection()
        except redis.RedisError as error:
            translate(error, self.url)

    def _broken(self, connection: Any, error: BaseException) -> NoReturn:
        """Between a command and its reply: that reply must not answer the next command."""
        connection.disconnect()
        self._pool.release(connection)
        if isinstance(error, redis.RedisError | OSError):
            translate(error, self.url)
        raise error

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        try:
            connection = self._pool.get_connection()
        except redis.RedisError as error:
            translate(error, self.url)
        try:
            yield connection
        except redis.ResponseError as error:
            translate(error, self.url)
        except (redis.RedisError, OSError) as error:
            # The operating system's own errors too: where replies are read in bulk, redis-py does not wrap them.
            connection.disconnect()
            translate(error, self.url)
        except BaseException:
            # Interrupted between the command and its reply: that reply must not answer the next command.
            connection.disconnect()
            raise
        finally:
            self._pool.release(connection)


class Posted:
    """A pipeline whose replies are still to be read, on a connection of its own. Read it, or drop it."""

    def __init__(self, server: Server, connection: Any, count: int, timeout_s: float) -> None:
        self._server, self._connection, self._count, self._timeout_s = server, connection, count, timeout_s

    def replies(self) -> list[Any]:
        """In order; an error reply stands in its place as a ServerRefused. Raises ServerUnreachable."""
        try:
            replies = self._connection._parser.read_many(self._count, self._timeout_s)
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self._server._broken(self._connection, error)
        self._server._pool.release(self._connection)
        return outcomes(replies)

    def drop(self) -> None:
        """Gives up the replies, and the connection with them."""
        self._connection.disconnect()
        self._server._pool.release(self._connection)


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


def outcomes(replies: list[Any]) -> list[Any]:
    """Replies with redis-py's error values made ours."""
    return [refused(reply) if isinstance(reply, redis.RedisError) else reply for reply in replies]


def refused(error: redis.RedisError) -> TransportError:
    """The server's own error, with its code kept first (`OOM`, `BUSYGROUP`, `NOGROUP`, ...)."""
    text = str(error).rstrip(".")
    return ServerRefused(text, code=error.status_code or text.split(" ", 1)[0])


def translate(error: Exception, url: str) -> NoReturn:
    """Raises the error of ours that a redis-py error means."""
    if isinstance(error, redis.ResponseError | redis.AuthenticationError):
        raise refused(error) from None
    raise ServerUnreachable(public(url), str(error) or type(error).__name__) from None
