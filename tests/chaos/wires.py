"""Around every call that a process makes to the server and every statement that it gives SQLite.

Law: nothing in the product is asked to take part. Calls are seen where the driver hands them to the connection, with
the names of their commands; statements where `sqlite3` gets them. A hook sees each before and after, may raise, and
may end the process.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from claude_comm.effects import Command
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.transport.pool import ConnectionPool


class Hook(Protocol):
    """`names` are the commands of one call, or the first words of one statement."""

    def before(self, names: Sequence[str]) -> None: ...

    def after(self, names: Sequence[str]) -> None: ...


def on_server(hook: Hook) -> Callable[[], None]:
    """Puts the hook around every call to a server; the function returned takes it off again."""

    def one(plain: Any, self: ConnectionPool, command: Command) -> Any:
        return _around(hook, [_name(command)], lambda: plain(self, command))

    def many(plain: Any, self: ConnectionPool, commands: Sequence[Command], *rest: Any) -> Any:
        return _around(hook, [_name(command) for command in commands], lambda: plain(self, commands, *rest))

    def append(plain: Any, self: ConnectionPool, posts: Sequence[Any], *rest: Any) -> Any:
        return _around(hook, ["XADD"] * len(posts), lambda: plain(self, posts, *rest))

    def post(plain: Any, self: ConnectionPool, commands: Sequence[Command], *rest: Any) -> Any:
        names = [_name(command) for command in commands]
        hook.before(names)
        return _Answered(plain(self, commands, *rest), hook, names)

    return _patched(ConnectionPool, one=one, many=many, append=append, post=post)


class _Answered:
    """A call that was sent ahead: its answer is seen when it is read."""

    def __init__(self, posted: Any, hook: Hook, names: Sequence[str]) -> None:
        self._posted, self._hook, self._names = posted, hook, names
        self._error: TransportError | None = None
        self._seen = False

    def followed(self) -> Any:
        return self._posted.followed()

    def arrived(self) -> bool:
        arrived = self._posted.arrived()
        if arrived:
            self.land()
        return bool(arrived)

    def land(self) -> bool:
        landed = self._posted.land()
        if landed and not self._seen:
            self._seen = True
            try:
                self._hook.after(self._names)
            except TransportError as error:
                self._error = error
        return landed and self._error is None

    def landed(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._posted.landed()

    def drop(self) -> None:
        self._posted.drop()


def on_sqlite(hook: Hook) -> Callable[[], None]:
    """Puts the hook around every statement of every connection that is opened from now on."""
    plain = sqlite3.connect

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> Any:
            return _around(hook, [_statement(sql)], lambda: sqlite3.Connection.execute(self, sql, *rest))

        def executemany(self, sql: str, *rest: Any) -> Any:
            return _around(hook, [_statement(sql)], lambda: sqlite3.Connection.executemany(self, sql, *rest))

    sqlite3.connect = functools.partial(plain, factory=Watched)  # type: ignore[assignment]

    def off() -> None:
        sqlite3.connect = plain

    return off


def rewrite(change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> None:
    """Sends other words than the product meant to."""

    def changed(command: Command) -> Command:
        return msgspec.structs.replace(command, args=change(command.args))

    def one(plain: Any, self: ConnectionPool, command: Command) -> Any:
        return plain(self, changed(command))

    def many(plain: Any, self: ConnectionPool, commands: Sequence[Command], *rest: Any) -> Any:
        return plain(self, [changed(command) for command in commands], *rest)

    _patched(ConnectionPool, one=one, many=many, post=many)


class Deadly:
    """Kills the process at the n-th arrival at a point: SIGKILL to itself, so that nothing is tidied up."""

    def __init__(self, name: str, when: str, count: int) -> None:
        self._name, self._when, self._left = name, when, count
        self._lock = threading.Lock()

    def before(self, names: Sequence[str]) -> None:
        self._pass("before", names)

    def after(self, names: Sequence[str]) -> None:
        self._pass("after", names)

    def _pass(self, when: str, names: Sequence[str]) -> None:
        if when == self._when and self._name in names:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str, when: str, count: int) -> None:
    """`point` is the name of a command, or the first word of a statement (`BEGIN`, `COMMIT`, `INSERT`)."""
    deadly = Deadly(point, when, count)
    on_server(deadly)
    on_sqlite(deadly)


def _around(hook: Hook, names: Sequence[str], call: Callable[[], Any]) -> Any:
    hook.before(names)
    try:
        reply = call()
    except ServerRefused:
        # An answer, too.
        hook.after(names)
        raise
    hook.after(names)
    return reply


def _patched(owner: type, **replacements: Callable[..., Any]) -> Callable[[], None]:
    before = {name: getattr(owner, name) for name in replacements}
    for name, replacement in replacements.items():
        setattr(owner, name, _bound(replacement, before[name]))

    def off() -> None:
        for name, plain in before.items():
            setattr(owner, name, plain)

    return off


def _bound(replacement: Callable[..., Any], plain: Any) -> Callable[..., Any]:
    @functools.wraps(plain)
    def method(self: Any, *args: Any, **named: Any) -> Any:
        return replacement(functools.partial(_call, plain, named), self, *args)

    return method


def _call(plain: Any, named: dict[str, Any], *args: Any) -> Any:
    return plain(*args, **named)


def _name(command: Command) -> str:
    return str(command.args[0])


def _statement(sql: str) -> str:
    return sql.split(maxsplit=1)[0].upper() if sql.strip() else ""
