"""One server, reached over connections of `transport.connection`; blocking.

Law: replies are what the server sent (RESP3). Nothing is tried again. Every error of a connection becomes one of
`claude_comm.errors` here.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn

import hiredis

from claude_comm.addresses import on_sentinel, public
from claude_comm.effects import REPLY_WITHIN_MS, Argument, Command, Post, Reach
from claude_comm.errors import (
    NOT_READY,
    TOO_OLD,
    ServerNotReady,
    ServerRefused,
    ServerTooOld,
    ServerUnreachable,
    TransportError,
)
from claude_comm.transport.connection import Connection, Opener
from claude_comm.transport.opening import opener
from claude_comm.transport.packing import flights
from claude_comm.transport.replies import Disconnected, ErrorReply

REPLY_TIMEOUT_S = REPLY_WITHIN_MS / 1000
CONNECT_TIMEOUT_S = 5.0

pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


class ConnectionPool:
    """Blocking connections to one server, as many as are used at once; safe to share between threads and to fork."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = _opener(url)
        self._pid = os.getpid()
        # Those at rest, the one used last on top; and all, for `close`.
        self._idle: list[Connection] = []
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._closed = False

    def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        replies = self._exchange([(pack(command.args), 1)], (command.within_ms + command.wait_ms) / 1000)
        if isinstance(replies[0], ErrorReply):
            raise outcomes(replies, self.close_idle)[0]
        return replies[0]

    def many(self, commands: Sequence[Command], wait_ms: int = 0, within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait, `within_ms` how long it may take beyond that.
        """
        if not commands:
            return []
        together = b"".join([pack(command.args) for command in commands])
        replies = self._exchange([(together, len(commands))], (within_ms + wait_ms) / 1000)
        return outcomes(replies, self.close_idle)

    def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: PendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> PendingReplies:
        """Sends a pipeline and does not wait for its replies. Raises ServerUnreachable.

        `behind` what has not landed it goes on the same connection: the server takes them in this order. Unless they go
        `abreast`, it is sent when that has landed; raises what it failed with.
        """
        together = b"".join([pack(command.args) for command in commands])
        if behind is not None and not abreast and not behind.land():
            behind.landed()
        connection = behind.followed() if behind is not None else None
        if connection is None:
            behind, connection = None, self.take(REPLY_TIMEOUT_S)
        try:
            connection.send(together, REPLY_TIMEOUT_S + wait_ms / 1000)
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self.broken(connection, error)
        return PendingReplies(self, connection, len(commands), behind)

    def append(self, posts: Sequence[Post], within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused."""
        replies = self._exchange(flights(posts), within_ms / 1000)
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
        step_s = min(within_s, REPLY_TIMEOUT_S)
        try:
            connection = Connection(self._open(min(within_s, CONNECT_TIMEOUT_S), step_s))
        except (Disconnected, ErrorReply, OSError) as error:
            translate(error, self.url)
        self._connections.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Takes back a connection all of whose replies were read."""
        self._idle.append(connection)
        if self._closed:  # it was being opened meanwhile
            self.close_idle()

    def broken(self, connection: Connection, error: BaseException) -> NoReturn:
        """Interrupted between a command and its reply: that reply must not answer the next command."""
        connection.close()
        if isinstance(error, Disconnected | OSError):
            translate(error, self.url)
        raise error

    def close_idle(self) -> None:
        """Ends the connections that are not in use."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def close(self) -> None:
        """Ends all connections, also those in use."""
        self._closed = True
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


def _opener(url: str) -> Opener:
    if not on_sentinel(url):
        return opener(url)
    # A command on one server does not need it.
    from claude_comm.transport.sentinel import primary_opener

    return primary_opener(url)


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
    """The replies to a pipeline, still to be read. Land and read them, or drop them.

    Those of several pipelines may come on one connection: the last of them gives it back.
    """

    def __init__(
        self, pool: ConnectionPool, connection: Connection, count: int, behind: PendingReplies | None = None
    ) -> None:
        self._pool, self._connection, self._count = pool, connection, count
        self._behind, self._last = behind, True
        self._replies: list[Any] = []
        self._landed: list[Any] | TransportError | None = None

    def followed(self) -> Connection | None:
        """The connection, for another pipeline behind this one, which gives it back; None where it was given back."""
        if self._landed is not None:
            return None
        self._last = False
        return self._connection

    def arrived(self) -> bool:
        """Whether they are there, or the server does not answer: then `land` does not wait. Never waits."""
        if self._landed is None and (self._behind is None or self._behind.arrived()):
            self._land(self._connection.complete_now)
        return self._landed is not None

    def land(self) -> bool:
        """Waits for them, and for those before them; False if the server does not answer."""
        if self._landed is None:
            if self._behind is not None:
                self._behind.land()
            self._land(self._connection.complete)
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

    def _land(self, complete: Callable[[list[Any], int], bool]) -> None:
        """Reads them. They have landed when all are there, or when something went wrong."""
        try:
            if self._behind is not None:
                self._behind.landed()
                self._behind = None
            if self._read(complete):
                self._landed = outcomes(self._replies, self._pool.close_idle)
        except TransportError as error:
            self._landed = error

    def _read(self, complete: Callable[[list[Any], int], bool]) -> bool:
        try:
            whole = complete(self._replies, self._count)
        except BaseException as error:  # noqa: BLE001  (raised again there)
            self._pool.broken(self._connection, error)
        if whole and self._last:
            self._pool.give_back(self._connection)
        return whole


def outcomes(replies: list[Any], in_doubt: Callable[[], object]) -> list[Any]:
    """Replies with error replies made errors of ours.

    A server in another state may have been replaced behind its address: then `in_doubt` is called, which drops the
    connections to it. Raises ServerNotReady where that is the answer to all.
    """
    errors = [place for place, reply in enumerate(replies) if isinstance(reply, ErrorReply)]
    if not errors:
        return replies
    for place in errors:
        replies[place] = refused(replies[place])
    if any(isinstance(replies[place], ServerNotReady) for place in errors):
        in_doubt()
        if all(isinstance(reply, ServerNotReady) for reply in replies):
            raise replies[0]
    return replies


def refused(error: ErrorReply) -> TransportError:
    """The server's own error, with its code kept (`OOM`, `BUSYGROUP`, `NOGROUP`, ...)."""
    code, text = error.code, error.text
    if code == TOO_OLD:
        return ServerTooOld(str(error).partition(" ")[2])
    if text.lower().startswith("unknown command") and "hello" in text.lower():
        return ServerTooOld("5 or earlier")
    return ServerNotReady(text, code=code) if code in NOT_READY else ServerRefused(text, code=code)


def translated(error: Exception, url: str) -> TransportError:
    """The error of ours that an error of a connection means."""
    if isinstance(error, ErrorReply):
        return refused(error)
    return ServerUnreachable(public(url), str(error) or type(error).__name__)


def translate(error: Exception, url: str) -> NoReturn:
    """Raises the error of ours that an error of a connection means."""
    raise translated(error, url) from None
