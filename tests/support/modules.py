"""Modules that run on a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from claude_comm import Module, Settings
from claude_comm.client.identity import millis
from claude_comm.names import Keys
from claude_comm.ops import replies
from claude_comm.transport.connect import connect
from tests.support.waiting import PATIENCE_S, wait_until


class Page(msgspec.Struct):
    number: int
    text: str = ""


@contextmanager
def running(module: Module) -> Iterator[None]:
    """The module on a thread of its own, stopped at the end."""
    thread = threading.Thread(target=module.run)
    thread.start()
    try:
        yield
    finally:
        module.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def answering(module: Module) -> Iterator[None]:
    """The same, once who asks it finds it there: a request does not wait for long for somebody who is not there yet."""
    settings = module._settings
    assert settings is not None
    with running(module), connect(settings) as client:
        keys = Keys(settings.namespace)
        wait_until(lambda: client.run(replies.responds(keys, module.name, millis())), what=f"the module {module.name}")
        yield


def collector(settings: Settings, shape: Any, **options: Any) -> tuple[Module, list[Any]]:
    module, seen = Module("sink", settings=settings, **options), []

    def handle(payload: Any) -> None:
        seen.append(payload)

    handle.__annotations__["payload"] = shape
    module.handles()(handle)
    return module, seen
