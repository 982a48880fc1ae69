"""`trim` and what `status` says about streams."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import heartbeats, jobs, projection_progress
from claude_comm.transport.driver import Client


@pytest.fixture(autouse=True)
def _environ(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)
    monkeypatch.setenv("CLAUDE_COMM_NAMESPACE", settings.namespace)
    monkeypatch.setenv("CLAUDE_COMM_KEEP_S", "0")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def settle(client: Client, settings: Settings) -> None:
    """As a worker would that has stored all."""
    keys = Keys(settings.namespace)
    streams = [keys.inbox("sink"), keys.events("sink"), keys.topic("news")]
    newest = {key: client.data.one(Command(("XREVRANGE", key, "+", "-", "COUNT", 1))) for key in streams}
    told = {key: found[0][0].decode() for key, found in newest.items() if found}
    client.run(projection_progress.report(keys, "p", told, durable=told, now_ms=now_ms()))


def test_it_says_what_would_go_what_went_and_what_holds_the_rest(run: Any, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(100))
        with Consumer("sink", settings=settings, batch=60) as consumer:
            for delivery in consumer.read():
                consumer.ack(delivery)
    inbox = keys.inbox("sink")
    (before, *_) = [row for row in run("trim", "--json").json if row["stream"] == inbox]
    assert (before["entries"], "no projection stores it" in before["held"]) == (0, True)
    settle(client, settings)
    (would, *_) = [row for row in run("trim", "--dry-run", "--json").json if row["stream"] == inbox]
    assert (would["entries"], would["held"]) == (59, "sink has not read all of it: start it")
    assert client.data.one(Command(("XLEN", inbox))) == 100
    shown = run("trim").out
    assert "59" in shown
    assert "sink has not read all of it" in shown
    assert client.data.one(Command(("XLEN", inbox))) == 41


def test_jobs_that_have_ended_go_and_status_counts_them(run: Any, settings: Settings, client: Client) -> None:
    queue = f"{settings.namespace}.negotiation"
    ids = [b"a" * 64, b"b" * 64, b"\xff odd"]
    for kind, id_ in zip(("finished", "failed", "failed"), ids, strict=True):
        client.data.one(Command(("ZADD", f"rq:{kind}:{queue}", 9_999_999_999, id_)))
        client.data.one(Command(("HSET", b"rq:job:" + id_, "status", kind)))
        client.data.one(Command(("XADD", f"rq:done:{queue}:".encode() + id_, "*", "a", "1")))
    client.data.one(Command(("RPUSH", f"rq:queue:{queue}", "c" * 64)))
    assert run("status", "--json").json["jobs"] == {"waiting": 1, "ended": 3}
    assert "1 wait for the negotiation worker; 3 have ended" in run("status").out
    assert run("trim", "--jobs", "--dry-run", "--json").json == {"jobs": 3}
    assert run("trim", "--jobs").err == "removed 3 negotiation jobs that have ended.\n"
    assert run("trim", "--jobs", "--json").json == {"jobs": 0}
    assert client.data.one(Command(("KEYS", f"rq:*{queue}*"))) == [f"rq:queue:{queue}".encode()]
    assert not any(client.data.one(Command(("EXISTS", b"rq:job:" + id_))) for id_ in ids)
    assert run("status", "--json").json["jobs"] == {"waiting": 1, "ended": 0}


def test_other_things_in_the_place_of_jobs_count_as_none(run: Any, settings: Settings, client: Client) -> None:
    client.data.one(Command(("SET", f"rq:failed:{settings.namespace}.negotiation", "odd")))
    assert run("status", "--json").json["jobs"] == {"waiting": 0, "ended": 0}
    assert run("trim", "--jobs", "--json").json == {"jobs": 0}


def test_logs_are_emptied_and_kept_and_status_says_how_large_they_are(run: Any, settings: Settings) -> None:
    (settings.home / "logs").mkdir()
    log = settings.home / "logs" / "progress.log"
    log.write_bytes(b"x" * 2_000)
    assert run("status", "--json").json["log_bytes"] == 2_000
    assert "claude-comm trim --logs" in run("status").out
    assert run("trim", "--logs", "--dry-run", "--json").json == {"log_bytes": 2_000}
    assert log.stat().st_size == 2_000
    assert "2.0 KiB of logs are kept as older parts" in run("trim", "--logs").err
    assert (log.read_bytes(), log.with_name("progress.log.1").read_bytes()) == (b"", b"x" * 2_000)
    # The older part takes room as well, and an empty log keeps it.
    assert run("status", "--json").json["log_bytes"] == 2_000
    run("trim", "--logs")
    assert log.with_name("progress.log.1").read_bytes() == b"x" * 2_000


def test_a_log_that_cannot_be_emptied_is_one_sentence(run: Any, settings: Settings) -> None:
    (settings.home / "logs" / "odd.log").mkdir(parents=True)
    refused = run("trim", "--logs")
    assert (refused.code, "odd.log cannot be emptied: Is a directory." in refused.err) == (2, True)


def test_jobs_that_may_not_be_seen_are_not_said_to_be_removed() -> None:
    removing = jobs.remove_ended(Keys("n"))
    next(removing)
    with pytest.raises(ServerRefused):
        removing.send([[], ServerRefused("no permission", code="NOPERM"), []])


def test_without_streams_it_says_so(run: Any) -> None:
    assert (run("trim").err, run("trim", "--json").json) == ("no streams yet.\n", [])


def test_status_shows_what_each_stream_and_group_has_and_what_holds_it(
    run: Any, settings: Settings, client: Client
) -> None:
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher, Consumer("sink", settings=settings, batch=10) as consumer:
        publisher.publish_many("sink", range(50))
        publisher.publish("sink", "later", delay_s=3600)
        first, second, *_ = consumer.read()
        consumer.fail(first, "no")
        consumer.ack(second)
        consumer.flush()
        found = {one["key"]: one for one in run("status", "--json").json["streams"]}
        inbox = found[keys.inbox("sink")]
        (group,) = inbox["groups"]
        assert (inbox["entries"], inbox["later"], inbox["dead"]) == (50, 1, 1)
        assert (group["name"], group["lag"], group["at_least"], group["pending"], group["consumers"]) == (
            *("sink", 40, False, 8),
            1,
        )
        assert abs(inbox["oldest_ms"] - now_ms()) < 60_000
        assert 3500 < (inbox["next_due_ms"] - now_ms()) / 1000 <= 3600
        settle(client, settings)
        table = run("status").out
        assert "sink has deliveries that are not acked" in table
        assert "1 (next in" in table
        assert " 40" in table


def read_some(settings: Settings) -> None:
    """The module `sink` reads 10 of the 50 messages of the topic `news`, and finishes 9."""
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("topic:news", range(50))
    with Consumer("sink", topics=["news"], settings=settings, batch=10) as consumer:
        (unfinished, *done) = consumer.read()
        for delivery in done:
            consumer.ack(delivery)
        consumer.flush()
        consumer.release(unfinished)


def test_a_module_that_will_not_come_back_is_taken_off_a_topic(run: Any, settings: Settings, client: Client) -> None:
    stream = Keys(settings.namespace).topic("news")
    read_some(settings)
    for words in (["--dry-run"], []):
        assert len(client.data.one(Command(("XINFO", "GROUPS", stream)))) == 1
        left = run("unsubscribe", "sink", "news", "--json", *words).json
        assert (left["unread"]["entries"], left["unread"]["exact"], left["pending"]) == (40, True, 1)
    assert client.data.one(Command(("XINFO", "GROUPS", stream))) == []
    assert client.data.one(Command(("XLEN", stream))) == 50
    again = run("unsubscribe", "sink", "news")
    assert (again.code, again.out) == (3, "")
    assert "'sink' does not read the topic 'news'" in again.err


def test_the_words_say_what_it_had_not_read(run: Any, settings: Settings) -> None:
    read_some(settings)
    assert (
        "sink would leave topic news: not read 40, read and not finished 1."
        in run("unsubscribe", "sink", "news", "--dry-run").err
    )
    near = run("unsubscribe", "sinc", "news")
    assert (near.code, "'sink'" in near.err) == (3, True)
    assert "sink has left topic news: not read 40, read and not finished 1." in run("unsubscribe", "sink", "news").err


def test_a_module_that_runs_stays(run: Any, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    read_some(settings)
    client.run(heartbeats.beat(keys.instances, "sink/here-1", now_ms=now_ms()))
    refused = run("unsubscribe", "sink", "news")
    assert refused.code == 1
    assert "sink/here-1" in refused.err
    assert len(client.data.one(Command(("XINFO", "GROUPS", keys.topic("news"))))) == 1
    assert run("unsubscribe", "sink", "not a topic").code == 2


def test_what_only_that_module_had_not_read_goes(run: Any, settings: Settings, client: Client) -> None:
    stream = Keys(settings.namespace).topic("news")
    read_some(settings)
    with Consumer("other", topics=["news"], settings=settings) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
    settle(client, settings)
    (held,) = [row["held"] for row in run("trim", "--json").json if row["stream"] == stream]
    assert held.startswith("sink has")
    run("unsubscribe", "sink", "news")
    run("trim")
    assert client.data.one(Command(("XLEN", stream))) < 50
