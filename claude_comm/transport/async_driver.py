"""The asyncio driver: performs the effects of an operation one after another, awaited."""

from __future__ import annotations

import asyncio
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
from claude_comm.transport.async_pool import AsyncConnectionPool, AsyncPendingReplies, Landed

T = TypeVar("T")


class AsyncBegun(Generic[T]):
    """An operation whose first effect was sent. Finish it, or drop it; both at most once."""

    def __init__(self, client: AsyncClient, operation: Operation[T], replies: AsyncPendingReplies) -> None:
        self._client, self._operation, self._replies = client, operation, replies
        # Where the replies were taken in: what comes next, or the result where nothing does.
        self._next: Effect | None = None
        self._result: Any = None
        self._over = False

    async def land(self) -> bool:
        """Waits for the replies and leaves the rest to `finish`; False if the server does not answer."""
        return await self._replies.land()

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

    async def finish(self) -> T:
        """The operation's result. Land it before: to be interrupted here gives the operation up."""
        await self.land()
        following = None if self.over() else self._next
        if following is not None:
            return await self._client._go_on(self._operation, lambda: following)
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


class AsyncTransport(Protocol):
    """What carries effects: one server, or the masters of a cluster."""

    url: str
    reach: Reach

    async def one(self, command: Command) -> Any: ...
    async def many(self, commands: Sequence[Command], wait_ms: int, within_ms: int) -> list[Any]: ...
    async def append(self, posts: Sequence[Post], within_ms: int) -> list[Any]: ...
    async def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: AsyncPendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> AsyncPendingReplies: ...
    # asyncio only
    def begin(self, posts: Sequence[Post], done: Landed) -> bool: ...
    async def pools(self) -> list[AsyncConnectionPool]: ...
    async def close(self) -> None: ...


class AsyncClient:
    """The server that carries the messages and the one that holds the registry; often the same."""

    def __init__(self, data: AsyncTransport, control: AsyncTransport, notary: Notary | None = None) -> None:
        self.data, self.control, self._notary = data, control, notary

    async def run(self, operation: Operation[T]) -> T:
        """The operation's result. An error reply is raised inside the operation, at the effect that met it.

        Whoever is interrupted closes the operation, so that its `finally` runs.
        """
        return await self._go_on(operation, operation.__next__)

    async def _go_on(self, operation: Operation[T], first: Callable[[], Effect]) -> T:
        try:
            effect = first()
            while True:
                try:
                    reply = await self._perform(effect)
                except TransportError as error:
                    effect = operation.throw(error)
                else:
                    effect = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            operation.close()

    async def begin(
        self, operation: Operation[T], behind: AsyncBegun[Any] | None = None, *, abreast: bool = True
    ) -> AsyncBegun[T]:
        """Sends the first effect of an operation, a `Batch`, and leaves the rest to `Begun.finish`: meanwhile the
        server works. On one server, not on a cluster. Raises ServerUnreachable.

        The server takes it after the one that was begun before, `behind` which it is sent: at once, or, unless they go
        `abreast`, when the replies to that have landed.
        """
        try:
            batch, before = first_batch(operation), behind._replies if behind else None
            replies = await self.data.post(batch.commands, batch.wait_ms, before, abreast=abreast)
            return AsyncBegun(self, operation, replies)
        except BaseException:
            operation.close()
            raise

    async def run_on_each(self, operation: Callable[[], Operation[T]]) -> list[T]:
        """What the operation returns on each server of the messages by itself: a cluster has several, and those of them
        that do not answer are left out. Raises ServerUnreachable when none does."""
        results: list[T] = []
        silent: ServerUnreachable | None = None
        for pool in await self.data.pools():
            try:
                results.append(await AsyncClient(pool, pool).run(operation()))
            except ServerUnreachable as error:
                silent = error
        if silent is not None and not results:
            raise silent
        return results

    async def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Append):
            return await self.data.append(effect.posts, effect.within_ms)
        if isinstance(effect, Pause):
            return await asyncio.sleep(effect.seconds)
        if isinstance(effect, Sign | SealEnvelope | Believe):
            return await self.run(performed(effect, self._notary))
        server = self.data if effect.on == "data" else self.control
        if isinstance(effect, Script):
            return await self._evaluate(server, effect)
        if isinstance(effect, Scripts):
            return await self._evaluate_all(server, effect.scripts)
        if isinstance(effect, Command):
            return await server.one(effect)
        return await server.many(effect.commands, effect.wait_ms, effect.within_ms)

    async def _evaluate(self, server: AsyncTransport, script: Script) -> Any:
        try:
            return await server.one(scripts.by_digest(script))
        except ServerRefused as refusal:
            if refusal.code != scripts.UNKNOWN:
                raise
        return await server.one(scripts.by_text(script))

    async def _evaluate_all(self, server: AsyncTransport, asked: Sequence[Script]) -> list[Any]:
        """A server that does not know the script learns it from one of them, and is asked the others again."""
        replies: dict[int, Any] = {}
        places = list(range(len(asked)))
        while places:
            commands = [scripts.by_digest(asked[place]) for place in places]
            replies.update(zip(places, await server.many(commands, 0, REPLY_WITHIN_MS), strict=True))
            places = [place for place in places if scripts.is_unknown(replies[place])]
            for place in places[:1]:
                replies[place] = (await server.many([scripts.by_text(asked[place])], 0, REPLY_WITHIN_MS))[0]
            places = places[1:]
        return [replies[place] for place in range(len(asked))]

    async def close(self) -> None:
        await self.data.close()
        if self.control is not self.data:
            await self.control.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def first_batch(operation: Operation[Any]) -> Batch:
    """The first effect of an operation that may be begun, and finished later."""
    effect = next(operation)
    if not isinstance(effect, Batch) or effect.on != "data":
        raise TypeError(f"only an operation that begins with a Batch of messages can be begun, not {effect!r}")
    return effect
