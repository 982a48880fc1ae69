"""The key that seals what clients carry: made once, whole, for its user alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

pytest.importorskip("mcp", reason="the MCP server is an extra")

from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.protocol.request_state import FILE, _key


def test_servers_that_start_at_once_seal_with_one_key(tmp_path: Path) -> None:
    starts, count = Barrier(8), 8

    def key(path: Path) -> bytes:
        starts.wait()
        return _key(path)

    with ThreadPoolExecutor(count) as threads:
        for turn in range(20):
            path = tmp_path / f"home-{turn}" / FILE
            keys = set(threads.map(key, [path] * count))
            assert len(keys) == 1
            assert [file.name for file in path.parent.iterdir()] == [FILE]
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_that_was_cut_short_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="remove it"):
        _key(path)
