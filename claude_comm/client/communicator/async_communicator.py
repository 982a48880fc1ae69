"""The simple face, on an event loop: send, read, report progress, agree. One class, no handlers.

Law: reading does not consume. Messages are read from the projection, brought up to date first, so that a message is
seen from the moment its sending returned.
"""

from __future__ import annotations

import asyncio
from builtins import type as type_
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from msgspec import UNSET

from claude_comm.blobs.transfer import Blob
from claude_comm.client.arguments import check_content, check_count, check_text
from claude_comm.client.communicator.async_session import AsyncSession
from claude_comm.client.communicator.async_tasks import AsyncTaskLoop, Meters, size_of
from claude_comm.client.communicator.declaration import declare
from claude_comm.client.communicator.projection_reader import DEFAULT_LIMIT, ProjectionReader
from claude_comm.client.communicator.session_heart import AsyncSessionHeart
from claude_comm.client.identity import identify
from claude_comm.client.module.message_context import check_task
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.json_form import json_form
from claude_comm.names import check_name, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import registration
from claude_comm.progress.events import Event, TaskProgress
from claude_comm.registry.contracts import Compatibility, Contract, Formats
from claude_comm.schema.evolution.infer import infer
from claude_comm.settings import Settings
from claude_comm.telemetry.current import current_session, current_task
from claude_comm.transport.connect_async import connect_async

if TYPE_CHECKING:
    from claude_comm.client.discovery.finder import Finder, PartnerChange
    from claude_comm.discovery.query import Candidates

T = TypeVar("T")


class AsyncModuleCommunicator:
    """One module's way to talk, without handlers, for one event loop. An async context manager.

    `module_name` negotiates, registers and reports progress; messages may be sent in any module's name.
    """

    def __init__(self, module_name: str, *, settings: Settings | None = None) -> None:
        self.identity = identify(module_name, settings)
        self.client = connect_async(self.identity.settings, self.identity.signer)
        self._projection = ProjectionReader(self.identity)
        self._publishers: dict[str, AsyncPublisher] = {}
        self._meters = Meters()
        self._heart = AsyncSessionHeart(self.identity, self.client.run)
        self._finder: Finder | None = None
        self._closed = False

    @property
    def module_name(self) -> str:
        return self.identity.module

    @property
    def current_session(self) -> str:
        """The session that this thread or task works in; empty for none."""
        return current_session.get()

    async def send_message(self, source: str, target: str, content: Any, *, type: str = DEFAULT_TYPE) -> str:
        """Sends a message, a dict or an object of a class with fields; returns its id.

        Raises as `Publisher.publish`, and ConfigurationError for other content.
        """
        content = check_content(content)
        return await self._publisher(source).publish(target, content, type=type, session=self.current_session)

    @overload
    async def request(
        self,
        target: str,
        content: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        as_: type_[T],
    ) -> T: ...

    @overload
    async def request(
        self,
        target: str,
        content: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        as_: Any = ...,
    ) -> Any: ...

    async def request(
        self,
        target: str,
        content: object,
        *,
        type: str = DEFAULT_TYPE,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        as_: Any = Any,
    ) -> Any:
        """Sends a message in this module's name and waits for its reply. Raises as `Publisher.request` does."""
        publisher = self._publisher(self.module_name)
        session = self.current_session
        return await publisher.request(target, content, type=type, timeout_s=timeout_s, session=session, as_=as_)

    async def send_file(
        self, target: str, path: str | Path, *, type: str = DEFAULT_TYPE, content_type: str = ""
    ) -> str:
        """Stores a file of any size, and sends a message that refers to it. As `Publisher.send_file`."""
        publisher, session = self._publisher(self.module_name), self.current_session
        return await publisher.send_file(target, path, type=type, session=session, content_type=content_type)

    def open_blob(self, source: object) -> Blob:
        """The large payload that a manifest stands for, or a message has: to read from, to save, or to open as a file.

        `source` is a manifest, the mapping that it is in a payload, or an envelope. Nothing is read yet. Raises
        DecodeError.
        """
        # Few programs read what is large.
        from claude_comm.blobs.files import open_blob

        return open_blob(source, self.identity.settings)

    async def get_messages(
        self, target: str, *, limit: int | None = DEFAULT_LIMIT, before: str = ""
    ) -> list[dict[str, Any]]:
        """The messages sent to the target so far, newest first, as `id`, `source`, `target`, `data`, `timestamp`.

        Does not consume. `data` is the payload; `timestamp` is ISO 8601 text in UTC. `before` is the id of the last
        message of one page: what was sent before it is the next. Raises UnknownMessage. With `limit=None` all come at
        once, however many.
        """
        check_target(target)
        if limit is not None:
            check_count("limit", limit)
        check_text("before", before)
        return await asyncio.to_thread(self._projection.messages, target, limit, before)

    async def track_progress(self, task: str, completed: float, total: float) -> None:
        """Reports the progress of a task of this module, in its own units; the rate is computed from the reports."""
        await self._report(self._meters.event(task, completed, total, parent=current_task.get()))

    async def get_progress(self, task: str) -> dict[str, float]:
        """The latest report on a task: `completed`, `total` and `percentage`; zeros while there is none.

        This module's own report where it has made one, else the latest of any module.
        """
        check_task(task)
        return await asyncio.to_thread(self._projection.progress, task)

    async def negotiate_schema(self, target_module: str, sample_data: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on messages shaped like the sample; later ones are validated against it.

        The schema is inferred from the sample and checked against the one that the target registered. Raises
        UnknownModule, or NegotiationRefused, whose `refusal` carries the verdict with a message that shows the problem.
        """
        check_target(target_module)
        check_name(type, "message type")
        schema = infer([json_form(sample_data)])
        return await self._publisher(self.module_name).negotiate(target_module, schema, type=type)

    async def register(
        self,
        *,
        accepts: Any = None,
        produces: Any = None,
        version: str = "1.0.0",
        compatibility: Compatibility = "none",
        formats: Formats = "annotate",
        aliases: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        capabilities: Sequence[str] = (),
    ) -> Contract:
        """Registers what this module accepts and produces: a schema or type, or a mapping of message types to such.

        `compatibility` is what this version must keep of earlier ones, and the next of this one; `aliases` maps an
        accepted type to {property: former names}; `formats="assert"` holds messages to each `format` of the schemas.
        Raises ContractRefused or VersionTaken.
        """
        declared = declare(self.module_name, accepts, produces, version, compatibility, aliases, formats, capabilities)
        await self.client.run(registration.register(self.identity.keys, declared))
        return declared

    def progress(
        self, items: Iterable[T] | AsyncIterable[T], *, task: str, total: float | None = None
    ) -> AsyncIterator[T]:
        """The items one by one, as an `async for` reads them; their progress is reported as a task, with its rate.

        `total` is how many there will be, where `items` has no length. A task within such a loop is a part of it.
        """
        loop = AsyncTaskLoop(self._report, self._meters, check_task(task), size_of(items, total))
        return loop.over(items)

    def session(self, name: str) -> AsyncSession:
        """Within it, messages and reports of this thread or task belong to the session of that name.

        For `async with`. Its start, its end and its outcome are reported; the projection ends a session whose
        process died. A handler that such a message reaches is in the session, in whatever process.
        """
        return AsyncSession(name, self.identity, self._heart, self._tell)

    async def find_modules(
        self,
        *,
        accepts: Any = UNSET,
        produces: Any = UNSET,
        fits: Contract | None = None,
        type: str = "",
        capability: str = "",
        name: str = "",
        live: bool = True,
    ) -> Candidates:
        """The modules that fulfil every given condition: `.found`; and those for which that is undecided: `.undecided`.

        `accepts` and `produces` are messages, `fits` is a contract with something that a module accepts or produces,
        by proof; `name` may be a pattern. With `live=False` modules count of which no instance lives.
        """
        # The engine of schemas takes longer to import than a communicator that looks for nobody.
        from claude_comm.client.discovery.finder import Finder
        from claude_comm.client.discovery.query import query_of

        query = query_of(accepts, produces, fits, type, capability, name, live)
        self._finder = self._finder or Finder(self.identity.keys)
        await self.client.run(self._finder.refreshing())
        return await asyncio.to_thread(self._finder.answer, query)

    async def watch_modules(
        self,
        *,
        accepts: Any = UNSET,
        produces: Any = UNSET,
        fits: Contract | None = None,
        type: str = "",
        capability: str = "",
        name: str = "*",
    ) -> AsyncIterator[PartnerChange]:
        """Yields partners as they start and stop, for as long as you iterate; those that run now come first.

        The parts are those of `find_modules`; without any, all modules. Nothing is asked of a module: changes of the
        registry and heartbeats say it.
        """
        from claude_comm.client.discovery.finder import PartnerWatch
        from claude_comm.client.discovery.query import query_of

        watch = PartnerWatch(self.identity.keys, query_of(accepts, produces, fits, type, capability, name, True))
        while not self._closed:
            await self.client.run(watch.looking())
            for change in await asyncio.to_thread(watch.changes):
                yield change

    async def close(self) -> None:
        """Closes every connection."""
        self._closed = True
        await self._heart.close()
        for publisher in self._publishers.values():
            await publisher.close()
        self._projection.close()
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _report(self, event: TaskProgress) -> None:
        await self._tell(event, self.current_session)

    async def _tell(self, event: Event, session: str) -> None:
        await self._publisher(self.module_name).tell(event, session=session)

    def _publisher(self, source: str) -> AsyncPublisher:
        if check_name(source, "source") not in self._publishers:
            self._publishers[source] = AsyncPublisher(source, settings=self.identity.settings, client=self.client)
        return self._publishers[source]
