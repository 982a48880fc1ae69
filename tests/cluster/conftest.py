"""One cluster for the run; each test has a namespace and a database of its own in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.settings import Settings
from tests.support.homes import child_environ
from tests.support.masters import Masters, three_masters

_numbers = itertools.count()


@pytest.fixture(scope="session")
def masters() -> Iterator[Masters]:
    with three_masters() as made:
        yield made


@pytest.fixture
def settings(masters: Masters, tmp_path: Path) -> Settings:
    """In place of the settings on the shared server: `client` and `environ` follow them."""
    return Settings(home=tmp_path, url=masters.url, namespace=f"c{os.getpid()}-{next(_numbers)}")


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    return child_environ(
        CLAUDE_COMM_HOME=str(settings.home), CLAUDE_COMM_URL=settings.url, CLAUDE_COMM_NAMESPACE=settings.namespace
    )
