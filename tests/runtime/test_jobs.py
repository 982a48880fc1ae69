"""The negotiation worker: it answers questions, and whatever else stands in a job, it does not run it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Job

from claude_comm import Publisher, Settings
from claude_comm.client.publisher.negotiate import decide
from claude_comm.errors import NegotiationRefused, SchemaError
from claude_comm.names import NEGOTIATION_WORKER, Keys
from claude_comm.negotiation.agreement import Question
from claude_comm.ops import agreements, registry
from claude_comm.registry.contracts import contract
from claude_comm.runtime import jobs
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until

NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
INTEGER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def worker(settings: Settings, environ: dict[str, str], client: Client) -> Iterator[subprocess.Popen[str]]:
    """The worker as a process of its own, alive."""
    child = subprocess.Popen(
        [sys.executable, "-m", "workers.negotiation"], env=environ, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: alive(client, settings) == 1)
    yield child
    child.terminate()
    child.communicate(timeout=PATIENCE_S)


def alive(client: Client, settings: Settings) -> int:
    now_ms = time.time_ns() // 1_000_000
    return len(client.run(registry.workers_alive(Keys(settings.namespace), NEGOTIATION_WORKER, now_ms=now_ms)))


def test_the_worker_decides_and_stores(worker: object, client: Client, settings: Settings) -> None:
    client.run(registry.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        agreement = publisher.negotiate("sink", INTEGER)
    assert agreement.decided_by == "worker"
    assert client.run(agreements.find(Keys(settings.namespace), agreement.id)) == agreement


def test_a_refusal_and_an_unusable_schema_come_back_from_the_worker(
    worker: object, client: Client, settings: Settings
) -> None:
    client.run(registry.register(Keys(settings.namespace), contract("sink", accepts=INTEGER)))
    with Publisher("src", settings=settings) as publisher:
        with pytest.raises(NegotiationRefused) as caught:
            publisher.negotiate("sink", NUMBER)
        with pytest.raises(SchemaError):
            publisher.negotiate("sink", {"type": "nonsense"})
    assert caught.value.refusal.decided_by == "worker"


def test_without_a_worker_the_caller_decides(client: Client, settings: Settings) -> None:
    client.run(registry.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "caller"


def test_a_worker_that_vanished_delays_a_negotiation_and_does_not_prevent_it(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ANSWER_TIMEOUT_S", 0.2)
    keys = Keys(settings.namespace)
    client.run(registry.register(keys, contract("sink", accepts=NUMBER)))
    client.run(registry.beat(keys.workers, f"{NEGOTIATION_WORKER}/ghost", now_ms=time.time_ns() // 1_000_000))
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "caller"


def test_a_job_that_names_any_other_function_is_not_run(
    worker: subprocess.Popen[str], settings: Settings, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with jobs.connection(settings.url) as connection:
        foreign = _foreign_queue(connection, settings)
        hostile = [
            foreign.enqueue_call("os.mkdir", args=(str(mark),)),
            foreign.enqueue_call(jobs.ENTRY, args=("{}",), on_failure=None, meta={"x": 1}),
            foreign.enqueue_call(jobs.ENTRY, args=("not json", "two")),
            foreign.enqueue_call(jobs.ENTRY, kwargs={"text": "{}"}),
        ]
        wait_until(lambda: all(job.get_status() == "failed" for job in hostile))
    assert not mark.exists()


def test_callbacks_and_instances_in_a_job_are_ignored(
    worker: object, settings: Settings, tmp_path: Path, client: Client
) -> None:
    mark = tmp_path / "mark"
    with jobs.connection(settings.url) as connection:
        foreign = _foreign_queue(connection, settings)
        job = foreign.create_job("shutil.rmtree", args=(str(tmp_path),))
        job.save()
        names = {f"{kind}_callback_name": "tests.runtime.test_jobs.touch" for kind in ("success", "failure", "stopped")}
        connection.hset(job.key, mapping=names)
        connection.rpush(foreign.key, job.id)
        wait_until(lambda: job.get_status() == "failed")
    assert tmp_path.exists()
    assert not mark.exists()


def test_remote_commands_do_not_stop_the_worker(
    worker: subprocess.Popen[str], client: Client, settings: Settings
) -> None:
    with jobs.connection(settings.url) as connection:
        for key in connection.smembers("rq:workers"):
            name = key.decode().removeprefix("rq:worker:")
            connection.publish(f"rq:pubsub:{name}", '{"command": "shutdown", "created_at": 0}')
    client.run(registry.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "worker"
    assert worker.poll() is None


def test_many_who_ask_the_same_share_one_answer(worker: object, settings: Settings, client: Client) -> None:
    question = Question(producer="a", consumer="b", produced=INTEGER, accepted=NUMBER)
    ids = {jobs.submit(settings.namespace, settings.url, question) for _ in range(3)}
    assert len(ids) == 1
    assert decide(client, Keys(settings.namespace), question, decided_by="caller").id in ids


def test_the_worker_ends_on_sigterm_and_says_that_it_is_gone(
    worker: subprocess.Popen[str], client: Client, settings: Settings
) -> None:
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE_S) == 0
    assert alive(client, settings) == 0


def _foreign_queue(connection: redis.Redis, settings: Settings) -> Queue:
    """The worker's queue as somebody sees it who does not use our job class."""
    ours = jobs.queue(connection, settings.namespace)
    return Queue(ours.name, connection=connection, job_class=Job, serializer=ours.serializer)
