"""A module inside an event loop that somebody else runs."""

from __future__ import annotations

import asyncio

import pytest

from claude_comm import AsyncPublisher, Module
from claude_comm.errors import ConfigurationError
from claude_comm.settings import Settings
from tests.support.waiting import PATIENCE_S


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_async_handlers_run_on_the_application_s_loop_and_a_stop_ends_it(name: str, settings: Settings) -> None:
    loop_of = None if name == "asyncio" else pytest.importorskip("uvloop", reason="no uvloop: .ci/run has it")
    module, loops, payloads = Module("sink", settings=settings, concurrency=2), set(), []

    @module.handles()
    async def handle(payload: int) -> None:
        loops.add(asyncio.get_running_loop())
        payloads.append(payload)
        if len(payloads) == 3:
            module.stop()

    async def application() -> int:
        async with AsyncPublisher("src", settings=settings) as publisher:
            for number in range(3):
                await publisher.publish("sink", number)
        code = await asyncio.wait_for(module.serve(), PATIENCE_S)
        assert loops == {asyncio.get_running_loop()}
        return code

    with asyncio.Runner(loop_factory=loop_of and loop_of.new_event_loop) as runner:
        assert runner.run(application()) == 0
    assert sorted(payloads) == [0, 1, 2]


def test_a_plain_handler_does_not_hold_up_the_loop_and_a_cancelled_module_ends_as_a_stopped_one(
    settings: Settings,
) -> None:
    module = Module("sink", settings=settings)

    async def application() -> None:
        seen = asyncio.Event()
        loop = asyncio.get_running_loop()

        @module.handles()
        def handle(payload: int) -> None:
            loop.call_soon_threadsafe(seen.set)

        served = asyncio.create_task(module.serve())
        async with AsyncPublisher("src", settings=settings) as publisher:
            await publisher.publish("sink", 1)
        await asyncio.wait_for(seen.wait(), PATIENCE_S)
        served.cancel()
        with pytest.raises(asyncio.CancelledError):
            await served

    asyncio.run(application())
    assert module._runner is None


def test_run_inside_a_running_loop_says_what_to_use(settings: Settings) -> None:
    async def application() -> None:
        with pytest.raises(ConfigurationError, match=r"await module\.serve\(\)"):
            Module("sink", settings=settings).run()

    asyncio.run(application())
