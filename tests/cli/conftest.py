"""The command line called in this process, with what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.__main__ import main
from tests.support.command_line import Ran


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command in this process; no traceback may ever escape it."""

    def run_(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run_


@pytest.fixture
def file(tmp_path: Any) -> Callable[..., str]:
    """Writes a JSON value (or raw text or bytes) to a file of its own and returns its name."""
    count = iter(range(1000))

    def write(content: Any) -> str:
        path = tmp_path / f"document-{next(count)}.json"
        raw = content if isinstance(content, bytes | str) else json.dumps(content)
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        return str(path)

    return write
