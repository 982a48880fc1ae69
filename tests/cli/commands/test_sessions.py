"""`monitor-session` and `communication-status` on real messages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Publisher
from claude_comm.cli import session_watch
from claude_comm.client.consumer.consumer import Consumer
from claude_comm.progress.monitor import METRICS, Observation, measure
from claude_comm.settings import Settings
from tests.support.clocks import HeldClock
from tests.support.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def spoken(settings: Settings) -> None:
    """Five messages of session s1 from `a` to `b`: three handled, one failed, one waiting."""
    with Publisher("a", settings=settings) as publisher, Consumer("b", settings=settings) as consumer:
        publisher.publish_many("b", [0, 1, 2, 3], session="s1")
        taken = 0
        while taken < 4:
            for delivery in consumer.read(wait_s=5):
                taken += 1
                if delivery.payload() == 3:
                    consumer.fail(delivery, "no")
                else:
                    consumer.ack(delivery)
        publisher.publish("b", 4, session="s1")


@pytest.mark.usefixtures("spoken")
def test_communication_status_counts_what_really_happened(run: Any, file: Callable[..., str]) -> None:
    document = {"module_pairs": [{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]}
    there, back = run("communication-status", file(document), "--json").json
    assert (there["count"], there["handled"], there["failed"], there["pending"]) == (5, 3, 1, 1)
    assert there["success_rate"] == 0.75
    assert 0 <= there["latency"]["p50_ms"] <= there["latency"]["p95_ms"] < 60_000
    assert (back["count"], back["success_rate"], back["latency"]) == (0, None, None)

    table = run("communication-status", file(document)).out
    assert "75.0%" in table
    short = run("communication-status", file({**document, "include_metrics": False}), "--json").json
    assert set(short[0]) == {"source", "target", "count", "handled", "failed", "pending"}


@pytest.mark.usefixtures("spoken")
def test_a_session_is_watched_for_as_long_as_asked(
    run: Any, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "session_id": "s1",
        "modules": ["a", "b"],
        "monitoring": {"interval_seconds": 0.1, "metrics": ["messages", "failed", "messages_per_second", "latency"]},
    }
    clock = HeldClock()
    monkeypatch.setattr(session_watch, "time", clock)
    ran = run("monitor-session", file(document), "--duration", "0.5", "--json")
    assert sum(clock.slept) == pytest.approx(0.5)
    looks = [json.loads(line) for line in ran.out.splitlines()]
    assert len(looks) == 6
    assert (looks[-1]["messages"], looks[-1]["failed"], looks[-1]["messages_per_second"]) == (5, 1, 0)
    assert looks[0]["messages_per_second"] is None
    assert looks[0]["modules"][0] == {"module": "a", "sent": 5, "handled": 0, "failed": 0}
    assert looks[0]["modules"][1] == {"module": "b", "sent": 0, "handled": 3, "failed": 1}


def test_messages_sent_meanwhile_are_seen(
    file: Callable[..., str], settings: Settings, environ: dict[str, str]
) -> None:
    document = file({"session_id": "live", "monitoring": {"interval_seconds": 0.05, "metrics": ["messages"]}})
    command = [sys.executable, "-m", "claude_comm", "monitor-session", document, "--json", "--duration", "60"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["messages"] == 0
        with Publisher("a", settings=settings) as publisher:
            publisher.publish_many("b", [1, 2, 3], session="live")
        assert any(json.loads(line)["messages"] == 3 for line in process.stdout)
        # The reader leaves: the command ends long before its time, and not with an error.
        process.stdout.close()
        assert process.wait(timeout=PATIENCE_S) == 0


def test_a_session_that_nobody_knows_is_watched_all_the_same(run: Any, file: Callable[..., str]) -> None:
    ran = run("monitor-session", file({"session_id": "nobody"}), "--duration", "0")
    assert ran.code == 0
    assert "messages=0" in ran.out


def test_an_unknown_metric_is_named_and_left_out(run: Any, file: Callable[..., str]) -> None:
    document = {"session_id": "x", "monitoring": {"metrics": ["moods", "messages"]}}
    ran = run("monitor-session", file(document), "--duration", "0", "--json")
    assert "'moods'" in ran.err
    assert "messages" in json.loads(ran.out)


def test_another_database_is_read_as_it_is(run: Any, file: Callable[..., str], tmp_path: Path) -> None:
    import asyncio

    from claude_comm.progress import update_session_stats

    path = tmp_path / "own.db"
    asyncio.run(update_session_stats(path, "own", files_processed=7))
    ran = run("monitor-session", file({"session_id": "own", "database": str(path)}), "--duration", "0", "--json")
    assert json.loads(ran.out)["files_processed"] == 7
    missing = {"session_id": "own", "database": str(tmp_path / "missing.db")}
    assert run("monitor-session", file(missing)).code == 3
    assert not (tmp_path / "missing.db").exists()


def test_every_problem_of_a_document_is_named(run: Any, file: Callable[..., str]) -> None:
    ran = run("monitor-session", file({"session": "x", "monitoring": {"interval_seconds": 0, "metrics": [1]}}))
    assert ran.code == 2
    for place in ("session_id", "$.session:", "$.monitoring.interval_seconds", "$.monitoring.metrics[0]"):
        assert place in ran.err
    ran = run("communication-status", file({"module_pairs": [{"source": "a b"}]}))
    assert ran.code == 2
    assert "'target' is missing" in ran.err


def test_each_metric_answers_for_a_session_of_which_nothing_is_known() -> None:
    found = measure(list(METRICS), Observation(at_s=1.0), None)
    assert set(found) == set(METRICS)


def test_a_rate_is_over_the_time_between_two_looks() -> None:
    assert measure(["messages_per_second"], Observation(at_s=3.0, messages=15), Observation(at_s=1.0, messages=5)) == {
        "messages_per_second": 5.0
    }
