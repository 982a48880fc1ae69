"""A handler that forks, and comes back in the child: the child ends there, and the module goes on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from claude_comm import Module, RetryPolicy, Settings
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead, pending, publish
from tests.support.waiting import wait_until

HERE = os.getpid()


def returns() -> None:
    pass


def raises() -> None:
    raise ValueError("in the child")


def exits() -> None:
    sys.exit(3)


def ended_by_itself(child: int) -> bool:
    """Whether a child has ended; it must not have been handed another message, at which it kills itself."""
    gone, status = os.waitpid(child, os.WNOHANG)
    assert not gone or os.WIFEXITED(status)
    return gone == child


@pytest.mark.parametrize(
    ("leaves", "kind", "concurrency"),
    [
        (returns, "plain", 1),
        (returns, "plain", 4),
        (returns, "asynchronous", 1),
        (returns, "asynchronous", 4),
        (raises, "plain", 1),
        (raises, "asynchronous", 1),
        (raises, "plain beside asynchronous", 4),
        (exits, "plain", 1),
        (exits, "asynchronous", 1),
        (exits, "plain beside asynchronous", 4),
    ],
)
# Python 3.12 warns of a fork beside threads.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_ends_with_its_handler_and_handles_nothing(
    settings: Settings, client: Client, leaves: Callable[[], None], kind: str, concurrency: int
) -> None:
    """A child went on as its parent: it handled what the parent held, and took the wakes of the parent's loop."""
    module = Module("sink", settings=settings, concurrency=concurrency, retry=RetryPolicy(attempts=1))
    children: list[int] = []
    seen: list[int] = []

    def enter(number: int) -> None:
        if number == 0:
            child = os.fork()
            if child == 0:
                leaves()
                return
            children.append(child)
        elif os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(number)

    if kind == "asynchronous":

        @module.handles()
        async def handle(number: int) -> None:
            enter(number)

    else:
        module.handles()(enter)
    if kind == "plain beside asynchronous":

        @module.handles("other")
        async def other(number: int) -> None: ...

    publish(settings, "sink", *range(20))
    try:
        with running(module):
            wait_until(lambda: len(seen) == 20)
            wait_until(lambda: ended_by_itself(children[0]))
            children.clear()
            publish(settings, "sink", *range(20, 40))
            wait_until(lambda: len(seen) == 40)
            wait_until(lambda: pending(client, Keys(settings.namespace), "sink") == 0)
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    assert sorted(seen) == [*range(40)]
    assert dead(client, Keys(settings.namespace), "sink") == []
