"""Log lines: for whoever reads them, and no trouble for who writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import child_environ

TELL = "from claude_comm.telemetry.logs import get_logger; log = get_logger(); log.warning('a.b', n=1); print('alive')"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_log_on_a_full_disk_does_not_end_who_writes_it() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        told = subprocess.run(
            [sys.executable, "-c", TELL], env=child_environ(), stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert told.stdout == b"alive\n"


def test_a_line_is_json_where_no_terminal_reads_it() -> None:
    told = subprocess.run([sys.executable, "-c", TELL], env=child_environ(), capture_output=True, check=True)
    assert told.stderr.startswith(b'{"n": 1, "event": "a.b", "level": "warning"')
