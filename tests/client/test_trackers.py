"""Trackers tell the events of sessions and tasks, and read them back."""

from __future__ import annotations

import asyncio

import pytest

from claude_comm.errors import ConfigurationError, UnknownSession
from claude_comm.progress import AsyncProgressTracker, ProgressTracker
from claude_comm.progress.queries import AsyncQueries, Queries
from claude_comm.settings import Settings


def test_a_session_is_started_reported_on_ended_and_read(settings: Settings) -> None:
    async def scenario() -> None:
        async with AsyncProgressTracker("worker", settings=settings) as tracker:
            assert await tracker.get_session_info("s") is None
            await tracker.start_session("s")
            with pytest.raises(ConfigurationError, match="open already"):
                await tracker.start_session("s")
            await tracker.update_progress("s", 3, 4)
            open_info = await tracker.get_session_info("s")
            await tracker.end_session("s")
            info = await tracker.get_session_info("s")
            with pytest.raises(UnknownSession):
                await tracker.update_progress("s", 4, 4)
        assert open_info is not None
        assert info is not None
        assert (open_info["state"], info["state"]) == ("open", "completed")
        assert [(task["task"], task["percentage"]) for task in info["tasks"]] == [("session", 75)]
        assert [member["outcome"] for member in info["members"]] == ["completed"]

    asyncio.run(scenario())


def test_a_session_that_is_left_open_has_failed(settings: Settings) -> None:
    async def scenario() -> str:
        async with AsyncProgressTracker("worker", settings=settings) as tracker:
            await tracker.start_session("s")
        async with AsyncProgressTracker("reader", settings=settings) as reader:
            info = await reader.get_session_info("s")
        assert info is not None
        return str(info["state"])

    assert asyncio.run(scenario()) == "failed"


def test_operations_start_and_complete_or_fail(settings: Settings) -> None:
    with ProgressTracker("worker", settings=settings) as tracker:
        for name in ("good", "bad", "open"):
            tracker.start_operation(name, total=5)
        tracker.complete_operation("good")
        tracker.fail_operation("bad", ValueError("no total"))
        with pytest.raises(ConfigurationError, match="start_operation"):
            tracker.complete_operation("good")

    async def caught_up() -> None:
        async with AsyncProgressTracker("reader", settings=settings) as reader:
            await reader.get_session_info("s")

    asyncio.run(caught_up())
    with Queries(settings.database) as queries:
        tasks = {row.task: (row.state, row.completed, row.total, row.note) for row in queries.tasks(module="worker")}
    assert tasks == {
        "good": ("completed", 5, 5, ""),
        "bad": ("failed", 0, 5, "ValueError: no total"),
        "open": ("running", 0, 5, ""),
    }


def test_the_asyncio_queries_answer_the_same(settings: Settings) -> None:
    async def scenario() -> None:
        async with AsyncProgressTracker("worker", settings=settings) as tracker:
            await tracker.start_session("s")
            await tracker.get_session_info("s")
            async with AsyncQueries(settings.database) as later:
                with Queries(settings.database) as now:
                    assert await later.sessions() == now.sessions()
                    assert await later.session("s") == now.session("s")
                    assert await later.tasks() == now.tasks()
                    assert await later.timeline("s") == now.timeline("s")
                    assert await later.hops() == now.hops()
                    assert await later.messages() == now.messages()
                    assert await later.file_operations("s") == now.file_operations("s")

    asyncio.run(scenario())
