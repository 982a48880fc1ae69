"""Modules that run on a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from claude_comm import Module, Settings
from tests.support.waiting import PATIENCE_S


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


def collector(settings: Settings, shape: Any, **options: Any) -> tuple[Module, list[Any]]:
    module, seen = Module("sink", settings=settings, **options), []

    def handle(payload: Any) -> None:
        seen.append(payload)

    handle.__annotations__["payload"] = shape
    module.handles()(handle)
    return module, seen
