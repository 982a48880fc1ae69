"""The simple face: send, read, report progress, agree. One class, no handlers, no loop.

Law: reading does not consume. What is read comes from the projection, brought up to date first, so that a message
is seen from the moment its sending returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

import msgspec

from claude_comm.client.identity import as_json, identify, micros
from claude_comm.client.module.context import task_progress
from claude_comm.client.payload_types import schema_of
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name, check_session, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract, Produced, by_type, contract
from claude_comm.schema.evolution.infer import infer
from claude_comm.settings import Settings
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect


class ModuleCommunicator:
    """One module's way to talk, without handlers. A context manager; safe to share between threads.

    `module_name` is who negotiates, registers and reports progress; messages may be sent in any module's name.
    """

    def __init__(self, module_name: str, *, settings: Settings | None = None) -> None:
        self.identity = identify(module_name, settings)
        self.client = connect(self.identity.settings)
        self._publishers: dict[str, Publisher] = {}
        # Of this thread or task, so that two of them can work on two sessions at once.
        self._session: ContextVar[str] = ContextVar("session", default="")

    @property
    def module_name(self) -> str:
        return self.identity.module

    @property
    def current_session(self) -> str:
        """The session that this thread or task works in; empty for none."""
        return self._session.get()

    def send_message(self, source: str, target: str, content: dict[str, Any], *, type: str = DEFAULT_TYPE) -> str:
        """Sends a message; its id. Raises as `Publisher.publish` does, and ConfigurationError for a non-mapping."""
        if not isinstance(content, Mapping):
            raise ConfigurationError(
                f"content is a {content.__class__.__name__}: it must be a dict of names to values."
            )
        return self._publisher(source).publish(target, content, type=type, session=self.current_session)

    def request(
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
        return publisher.request(target, content, type=type, timeout_s=timeout_s, session=self.current_session, as_=as_)

    def get_messages(self, target: str, *, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent to the target so far, newest first, each as `id`, `source`, `target`, `data`, `timestamp`.

        Does not consume. `data` is the payload; `timestamp` is ISO 8601 text in UTC.
        """
        check_target(target)
        with open_database(self.identity.settings.database) as database:
            catch_up(self.client, database, self.identity.keys, max_bytes=self.identity.settings.max_envelope_bytes)
            rows = queries.messages(database, target=target, limit=limit)
        return [
            {
                "id": row.id,
                "source": row.source,
                "target": row.target,
                "data": row.payload_or_bytes(),
                "timestamp": row.timestamp,
            }
            for row in rows
        ]

    def track_progress(self, task: str, completed: float, total: float) -> None:
        """Reports how far a task of this module is, in units of its own."""
        fact = task_progress(task, completed, total)
        self._publisher(self.module_name).tell(fact, session=self.current_session)

    def get_progress(self, task: str) -> dict[str, float]:
        """The latest report on a task: `completed`, `total` and `percentage`; zeros while there is none.

        This module's own report where it has made one, else the latest of any module.
        """
        with open_database(self.identity.settings.database) as database:
            catch_up(self.client, database, self.identity.keys, max_bytes=self.identity.settings.max_envelope_bytes)
            rows = queries.progress(database, task=task)
        rows.sort(key=lambda row: (row.module == self.module_name, row.time_us))
        completed, total = (rows[-1].completed, rows[-1].total) if rows else (0.0, 0.0)
        return {"completed": completed, "total": total, "percentage": 100 * completed / total if total else 0.0}

    def negotiate_schema(self, target_module: str, sample_data: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on messages shaped like the sample; later ones are held to it.

        The schema is inferred from the sample and weighed against what the target registered. Raises UnknownModule,
        or NegotiationRefused, whose `refusal` carries the verdict with a message that shows the problem.
        """
        schema = infer([as_json(sample_data)])
        return self._publisher(self.module_name).negotiate(target_module, schema, type=type)

    def register(self, *, accepts: Any = None, produces: Any = None, version: str = "1.0.0") -> Contract:
        """Registers what this module accepts and produces: a schema or type, or a mapping of message types to such."""
        declared = declare(self.module_name, accepts, produces, version)
        self.client.run(registry.register(self.identity.keys, declared))
        return declared

    @contextmanager
    def session(self, name: str) -> Iterator[None]:
        """Within it, what this thread or task sends and reports belongs to the session of that name."""
        token = self._session.set(check_session(name))
        try:
            yield
        finally:
            self._session.reset(token)

    def close(self) -> None:
        for publisher in self._publishers.values():
            publisher.close()
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _publisher(self, source: str) -> Publisher:
        if source not in self._publishers:
            check_name(source, "source")
            self._publishers[source] = Publisher(source, settings=self.identity.settings, client=self.client)
        return self._publishers[source]


class AsyncModuleCommunicator:
    """The asyncio twin of `ModuleCommunicator`: each call runs it on a thread, so the event loop is never held up."""

    def __init__(self, module_name: str, *, settings: Settings | None = None) -> None:
        self._inner = ModuleCommunicator(module_name, settings=settings)
        # Who waits for a reply waits on the event loop: threads are few, and all of the program share them.
        self._asking: AsyncPublisher | None = None

    @property
    def module_name(self) -> str:
        return self._inner.module_name

    async def send_message(self, source: str, target: str, content: dict[str, Any], *, type: str = DEFAULT_TYPE) -> str:
        """Sends a message; its id."""
        return await asyncio.to_thread(self._inner.send_message, source, target, content, type=type)

    async def request(
        self,
        target: str,
        content: object,
        *,
        type: str = DEFAULT_TYPE,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        as_: Any = Any,
    ) -> Any:
        """Sends a message in this module's name and waits for its reply."""
        if self._asking is None:
            self._asking = AsyncPublisher(self.module_name, settings=self._inner.identity.settings)
        session = self._inner.current_session
        return await self._asking.request(target, content, type=type, timeout_s=timeout_s, session=session, as_=as_)

    async def get_messages(self, target: str, *, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent to the target so far, newest first."""
        return await asyncio.to_thread(self._inner.get_messages, target, limit=limit)

    async def track_progress(self, task: str, completed: float, total: float) -> None:
        """Reports how far a task of this module is."""
        await asyncio.to_thread(self._inner.track_progress, task, completed, total)

    async def get_progress(self, task: str) -> dict[str, float]:
        """The latest report on a task."""
        return await asyncio.to_thread(self._inner.get_progress, task)

    async def negotiate_schema(self, target_module: str, sample_data: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on messages shaped like the sample."""
        return await asyncio.to_thread(self._inner.negotiate_schema, target_module, sample_data, type=type)

    async def register(self, *, accepts: Any = None, produces: Any = None, version: str = "1.0.0") -> Contract:
        """Registers what this module accepts and produces."""
        return await asyncio.to_thread(self._inner.register, accepts=accepts, produces=produces, version=version)

    @contextmanager
    def session(self, name: str) -> Iterator[None]:
        """Within it, what this task sends and reports belongs to the session of that name."""
        with self._inner.session(name):
            yield

    async def close(self) -> None:
        if self._asking is not None:
            await self._asking.close()
        await asyncio.to_thread(self._inner.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def declare(module: str, accepts: Any, produces: Any, version: str) -> Contract:
    """A contract from schemas, types, or mappings of message types to either."""
    sent = [Produced(type, schema) for type, schema in by_type(_schemas(produces)).items()]
    made = contract(module, version=version, accepts=_schemas(accepts), produces=sent)
    return msgspec.structs.replace(made, registered_us=micros())


def _schemas(declared: Any) -> Any:
    """Python types replaced by their schemas, in a mapping or alone."""
    if declared is None:
        return None
    if isinstance(declared, Mapping):
        return {name: schema_of(value) if isinstance(value, type) else value for name, value in declared.items()}
    return schema_of(declared)
