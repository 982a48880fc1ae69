"""`status` where there are many streams."""

from __future__ import annotations

import json
import subprocess
import sys

from claude_comm import Publisher, Settings
from claude_comm.cli import status_report
from claude_comm.names import Keys
from claude_comm.ops import consume
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S


def test_of_many_streams_status_shows_those_in_which_something_goes_on(
    settings: Settings, client: Client, keys: Keys, environ: dict[str, str]
) -> None:
    """In JSON, and with --all, it has all of them."""
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(status_report.ALL_SHOWN + 20)]))
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("m7", 1)
    brief, whole, as_json = (
        subprocess.run(
            [sys.executable, "-m", "claude_comm", "status", *words],
            env=environ, capture_output=True, text=True, check=True, timeout=PATIENCE_S,
        )
        for words in ([], ["--all"], ["--json"])
    )  # fmt: skip
    assert keys.inbox("m7") in brief.stdout
    assert keys.inbox("m8") not in brief.stdout
    assert f"{status_report.ALL_SHOWN + 19} streams are at rest" in brief.stderr
    assert keys.inbox("m8") in whole.stdout
    assert "at rest" not in whole.stderr
    report = json.loads(as_json.stdout)
    assert (len(report["streams"]), report["at_rest"]) == (status_report.ALL_SHOWN + 20, 0)
