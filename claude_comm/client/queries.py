"""Named queries of the projection, for programs: values in, Structs out; blocking, and for asyncio.

Law: read only, on a connection that cannot write. Every list has a limit and a key after which the next page begins,
so that no call brings more than was asked for. What is not stored yet is not seen: the progress worker stores, and so
does any command.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from claude_comm.client.arguments import check_count, check_text
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store import queries, session_list, timelines, traces
from claude_comm.store.database import Database, open_to_read
from claude_comm.store.newest import Before
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.records import DeliveryRow, FileOperationRow, MessageRow, ProgressRow
from claude_comm.store.session_list import SessionDetail, SessionSummary
from claude_comm.store.statistics import PairStatistics, pair_statistics, pairs
from claude_comm.store.tasks import tasks as stored_tasks
from claude_comm.store.timelines import TimelinePage
from claude_comm.store.traces import Trace

R = TypeVar("R")

DEFAULT_LIMIT = 100
# More at once is for `claude-comm projection export`.
MAX_LIMIT = 10_000


class Queries:
    """The projection in `path`, by default that of this home; a context manager, safe to share between threads.

    Raises StoreError if there is none.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._database: Database = open_to_read(settings_of_process().database if path is None else path)
        self._lock = threading.Lock()

    def messages(
        self, *, source: str = "", target: str = "", session: str = "", limit: int = DEFAULT_LIMIT, before: str = ""
    ) -> list[MessageRow]:
        """Newest first, by the time of sending; `before` is the id of the last message of the page before."""
        limit = _limit(limit)

        def found(database: Database) -> list[MessageRow]:
            last = queries.message(database, before) if check_text("before", before) else None
            place = Before(last.time_us, last.number) if last else None
            return queries.messages(database, target=target, source=source, session=session, limit=limit, before=place)

        return self._ask(found)

    def message(self, reference: str) -> MessageRow:
        """The message with this number, this id, or the only one whose id starts so. Raises UnknownMessage."""
        return self._ask(lambda database: queries.message(database, check_text("reference", reference)))

    def deliveries(self, message: MessageRow) -> list[DeliveryRow]:
        """The outcome of a message at each consumer, in the order in which they settled it."""
        return self._ask(lambda database: deliveries_of(database, [message.number])[message.number])

    def trace(self, reference: str, *, limit: int = DEFAULT_LIMIT) -> Trace:
        """Everything that a message caused, as a tree. Raises UnknownMessage."""
        limit = _limit(limit)
        return self._ask(lambda database: traces.trace(database, check_text("reference", reference), limit=limit))

    def sessions(self, *, limit: int = DEFAULT_LIMIT, after: str = "") -> list[SessionSummary]:
        """The latest active first; `after` is the last session of the page before."""
        limit, after = _limit(limit), check_text("after", after)
        return self._ask(lambda database: session_list.sessions(database, limit=limit, after=after))

    def session(self, name: str) -> SessionDetail | None:
        """One session with its hops, tasks and members; None where nothing of it is known."""
        return self._ask(lambda database: session_list.session(database, check_text("name", name)))

    def timeline(
        self, session: str, *, limit: int = DEFAULT_LIMIT, after: int = 0, failed: bool = False, last: bool = False
    ) -> TimelinePage:
        """The messages of a session, the earliest first; `after` is the `after` of the page before. `failed`: only what
        was buried or waits to be retried; `last`: the last page."""
        limit, after = _limit(limit), check_count("after", after)
        name = check_text("session", session)
        return self._ask(
            lambda database: timelines.timeline(database, name, limit=limit, after=after, failed=failed, last=last)
        )

    def tasks(self, *, module: str = "", task: str = "", session: str = "") -> list[ProgressRow]:
        """The latest report on each task, with its rate and `eta_s`; by module and task."""
        return self._ask(lambda database: stored_tasks(database, module=module, task=task, session=session))

    def hops(self) -> list[PairStatistics]:
        """Every pair of modules with traffic, with counts and latencies over everything that was ever stored."""
        return self._ask(lambda database: [pair_statistics(database, *pair) for pair in pairs(database)])

    def file_operations(self, session: str, *, limit: int = DEFAULT_LIMIT) -> list[FileOperationRow]:
        """Of a session, newest first."""
        limit, name = _limit(limit), check_text("session", session, least=1)
        return self._ask(lambda database: queries.file_operations(database, session=name, limit=limit))

    def close(self) -> None:
        """Closes the connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, query: Callable[[Database], R]) -> R:
        with self._lock:
            return query(self._database)


class AsyncQueries:
    """The same for an event loop: each query on a thread. An async context manager."""

    def __init__(self, path: str | Path | None = None) -> None:
        self._queries = Queries(path)

    async def messages(
        self, *, source: str = "", target: str = "", session: str = "", limit: int = DEFAULT_LIMIT, before: str = ""
    ) -> list[MessageRow]:
        """As `Queries.messages`."""
        return await asyncio.to_thread(
            self._queries.messages, source=source, target=target, session=session, limit=limit, before=before
        )

    async def message(self, reference: str) -> MessageRow:
        """As `Queries.message`."""
        return await asyncio.to_thread(self._queries.message, reference)

    async def deliveries(self, message: MessageRow) -> list[DeliveryRow]:
        """As `Queries.deliveries`."""
        return await asyncio.to_thread(self._queries.deliveries, message)

    async def trace(self, reference: str, *, limit: int = DEFAULT_LIMIT) -> Trace:
        """As `Queries.trace`."""
        return await asyncio.to_thread(self._queries.trace, reference, limit=limit)

    async def sessions(self, *, limit: int = DEFAULT_LIMIT, after: str = "") -> list[SessionSummary]:
        """As `Queries.sessions`."""
        return await asyncio.to_thread(self._queries.sessions, limit=limit, after=after)

    async def session(self, name: str) -> SessionDetail | None:
        """As `Queries.session`."""
        return await asyncio.to_thread(self._queries.session, name)

    async def timeline(
        self, session: str, *, limit: int = DEFAULT_LIMIT, after: int = 0, failed: bool = False, last: bool = False
    ) -> TimelinePage:
        """As `Queries.timeline`."""
        return await asyncio.to_thread(
            self._queries.timeline, session, limit=limit, after=after, failed=failed, last=last
        )

    async def tasks(self, *, module: str = "", task: str = "", session: str = "") -> list[ProgressRow]:
        """As `Queries.tasks`."""
        return await asyncio.to_thread(self._queries.tasks, module=module, task=task, session=session)

    async def hops(self) -> Sequence[PairStatistics]:
        """As `Queries.hops`."""
        return await asyncio.to_thread(self._queries.hops)

    async def file_operations(self, session: str, *, limit: int = DEFAULT_LIMIT) -> list[FileOperationRow]:
        """As `Queries.file_operations`."""
        return await asyncio.to_thread(self._queries.file_operations, session, limit=limit)

    async def close(self) -> None:
        """Closes the connection."""
        self._queries.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _limit(limit: int) -> int:
    if not 1 <= check_count("limit", limit) <= MAX_LIMIT:
        raise ConfigurationError(f"limit: {limit} is not from 1 to {MAX_LIMIT:,}; ask for the next page instead.")
    return limit
