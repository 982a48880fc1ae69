"""The engine's tests hold its clock: a verdict must not depend on how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from claude_comm.schema import bounded


@pytest.fixture(scope="package", autouse=True)
def counted() -> Iterator[None]:
    """Without a clock a budget is counted in steps, which are the same on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "time", SimpleNamespace(monotonic=None))
        yield


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the time itself: the clock of the processor, which what else runs here does not move."""
    monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=time.thread_time))
