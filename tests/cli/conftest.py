"""Documents that commands read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


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
