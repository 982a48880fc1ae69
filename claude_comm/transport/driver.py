# Written by tools/twins.py from async_driver.py: edit that file.
"""The blocking driver: performs the effects of an operation one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from claude_comm.effects import (
    REPLY_WITHIN_MS,
    Append,
    Batch,
    Believe,
    Command,
    Effect,
    Operation,
    Pause,
    Post,
    Reach,
    Script,
    Scripts,
    SealEnvelope,
    Sign,
)
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.runtime.notary import Notary, performed
from claude_comm.transport import scripts
from claude_comm.transport.pool import ConnectionPool, PendingReplies

T = TypeVar("T")


class Begun(Generic[T]):
    """An operation whose first effect was sent. Finish it, or drop it; both at most once."""

    def __init__(self, client: Client, operation: Operation[T], replies: PendingReplies) -> None:
        self._client, self._operation, self._replies = client, operation, replies
        # Where the replies were taken in: what comes next, or the result where nothing does.
        self._next: Effect | None = None
        self._result: Any = None
        self._over = False

    def land(self) -> bool:
        """Waits for the replies and leaves the rest to `finish`; False if the server does not answer."""
        return self._replies.land()

    def arrived(self) -> bool:
        """Whether the replies are there, or the server does not answer: then `land` does not wait. Never waits."""
        return self._replies.arrived()

    def over(self) -> bool:
        """Takes in the replies, which have arrived; whether that is all: then `finish` asks the server nothing more."""
        if self._next is None and not self._over:
            try:
                self._next = self._first_reply()
            except StopIteration as stop:
                self._result, self._over = stop.value, True
        return self._over

    def finish(self) -> T:
        """The operation's result. Land it before: to be interrupted here gives the operation up."""
        self.land()
        following = None if self.over() else self._next
        if following is not None:
            return self._client._go_on(self._operation, lambda: following)
        result: T = self._result
        return result

    def drop(self) -> None:
        """Gives the operation up: what the server did of it stands."""
        self._replies.drop()
        self._operation.close()

    def _first_reply(self) -> Effect:
        try:
            replies = self._replies.landed()
        except TransportError as error:
            return self._operation.throw(error)
        return self._operation.send(replies)


class Transport(Protocol):
    """What carries effects: one server, or the masters of a cluster."""

    url: str
    reach: Reach

    def one(self, command: Command) -> Any: ...
    def many(self, commands: Sequence[Command], wait_ms: int, within_ms: int) -> list[Any]: ...
    def append(self, posts: Sequence[Post], within_ms: int) -> list[Any]: ...
    def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: PendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> PendingReplies: ...
    def pools(self) -> list[ConnectionPool]: ...
    def close(self) -> None: ...


class Client:
    """The server that carries the messages and the one that holds the registry; often the same."""

    def __init__(self, data: Transport, control: Transport, notary: Notary | None = None) -> None:
        self.data, self.control, self._notary = data, control, notary

    def run(self, operation: Operation[T]) -> T:
        """The operation's result. An error reply is raised inside the operation, at the effect that met it.

        Whoever is interrupted closes the operation, so that its `finally` runs.
        """
        return self._go_on(operation, operation.__next__)

    def _go_on(self, operation: Operation[T], first: Callable[[], Effect]) -> T:
        try:
            effect = first()
            while True:
                try:
                    reply = self._perform(effect)
                except TransportError as error:
                    effect = operation.throw(error)
                else:
                    effect = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            operation.close()

    def begin(self, operation: Operation[T], behind: Begun[Any] | None = None, *, abreast: bool = True) -> Begun[T]:
        """Sends the first effect of an operation, a `Batch`, and leaves the rest to `Begun.finish`: meanwhile the
        server works. On one server, not on a cluster. Raises ServerUnreachable.

        The server takes it after the one that was begun before, `behind` which it is sent: at once, or, unless they go
        `abreast`, when the replies to that have landed.
        """
        try:
            batch, before = first_batch(operation), behind._replies if behind else None
            replies = self.data.post(batch.commands, batch.wait_ms, before, abreast=abreast)
            return Begun(self, operation, replies)
        except BaseException:
            operation.close()
            raise

    def run_on_each(self, operation: Callable[[], Operation[T]]) -> list[T]:
        """What the operation returns on each server of the messages by itself: a cluster has several, and those of them
        that do not answer are left out. Raises ServerUnreachable when none does."""
        results: list[T] = []
        silent: ServerUnreachable | None = None
        for pool in self.data.pools():
            try:
                results.append(Client(pool, pool).run(operation()))
            except ServerUnreachable as error:
                silent = error
        if silent is not None and not results:
            raise silent
        return results

    def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Append):
            return self.data.append(effect.posts, effect.within_ms)
        if isinstance(effect, Pause):
            return time.sleep(effect.seconds)
        if isinstance(effect, Sign | SealEnvelope | Believe):
            return self.run(performed(effect, self._notary))
        server = self.data if effect.on == "data" else self.control
        if isinstance(effect, Script):
            return self._evaluate(server, effect)
        if isinstance(effect, Scripts):
            return self._evaluate_all(server, effect.scripts)
        if isinstance(effect, Command):
            return server.one(effect)
        return server.many(effect.commands, effect.wait_ms, effect.within_ms)

    def _evaluate(self, server: Transport, script: Script) -> Any:
        try:
            return server.one(scripts.by_digest(script))
        except ServerRefused as refusal:
            if refusal.code != scripts.UNKNOWN:
                raise
        return server.one(scripts.by_text(script))

    def _evaluate_all(self, server: Transport, asked: Sequence[Script]) -> list[Any]:
        """A server that does not know the script learns it from one of them, and is asked the others again."""
        replies: dict[int, Any] = {}
        places = list(range(len(asked)))
        while places:
            commands = [scripts.by_digest(asked[place]) for place in places]
            replies.update(zip(places, server.many(commands, 0, REPLY_WITHIN_MS), strict=True))
            places = [place for place in places if scripts.is_unknown(replies[place])]
            for place in places[:1]:
                replies[place] = (server.many([scripts.by_text(asked[place])], 0, REPLY_WITHIN_MS))[0]
            places = places[1:]
        return [replies[place] for place in range(len(asked))]

    def close(self) -> None:
        self.data.close()
        if self.control is not self.data:
            self.control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def first_batch(operation: Operation[Any]) -> Batch:
    """The first effect of an operation that may be begun, and finished later."""
    effect = next(operation)
    if not isinstance(effect, Batch) or effect.on != "data":
        raise TypeError(f"only an operation that begins with a Batch of messages can be begun, not {effect!r}")
    return effect
