"""`bench`: figures in a few seconds, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.effects import Command
from claude_comm.transport.driver import Client


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


def test_bench_gives_rates_and_latencies_and_leaves_no_key(run: Any, client: Client) -> None:
    before = client.data.one(Command(("KEYS", "bench-*")))
    figures = {figure["name"]: figure for figure in run("bench", "--json").json}
    assert set(figures) == {
        "publish_many",
        "publish, one after another",
        "consume and ack",
        "latency p50, one way",
        "latency p99, one way",
    }
    assert all(figure["value"] > 0 for figure in figures.values())
    assert client.data.one(Command(("KEYS", "bench-*"))) == before == []


def test_bench_shows_a_table_to_people(run: Any) -> None:
    ran = run("bench")
    assert ran.code == 0
    assert "messages/s" in ran.out
    assert "publish_many" in ran.out
