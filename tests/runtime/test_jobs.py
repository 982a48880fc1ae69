"""The negotiation worker: it answers questions, and whatever else stands in a job, it does not run it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from claude_comm import Publisher, Settings
from claude_comm.client.publisher.negotiate import decide
from claude_comm.errors import NegotiationRefused, SchemaError
from claude_comm.names import NEGOTIATION_WORKER, Keys, job_queue
from claude_comm.negotiation.agreement import Question
from claude_comm.ops import agreements, heartbeats, registration
from claude_comm.registry.contracts import contract
from claude_comm.runtime import jobs, private_server, sealed_jobs
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.errors_file import errors_to
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until

NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
INTEGER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def worker(
    settings: Settings, environ: dict[str, str], client: Client, patient_jobs: None
) -> Iterator[subprocess.Popen[str]]:
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
    return len(client.run(heartbeats.workers_alive(Keys(settings.namespace), NEGOTIATION_WORKER, now_ms=now_ms)))


def test_the_worker_decides_and_stores(worker: object, client: Client, settings: Settings) -> None:
    client.run(registration.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        agreement = publisher.negotiate("sink", INTEGER)
    assert agreement.decided_by == "worker"
    assert client.run(agreements.find(Keys(settings.namespace), agreement.id)) == agreement


def test_a_refusal_and_an_unusable_schema_come_back_from_the_worker(
    worker: object, client: Client, settings: Settings
) -> None:
    client.run(registration.register(Keys(settings.namespace), contract("sink", accepts=INTEGER)))
    with Publisher("src", settings=settings) as publisher:
        with pytest.raises(NegotiationRefused) as caught:
            publisher.negotiate("sink", NUMBER)
        with pytest.raises(SchemaError):
            publisher.negotiate("sink", {"type": "nonsense"})
    assert caught.value.refusal.decided_by == "worker"


def test_without_a_worker_the_caller_decides(client: Client, settings: Settings) -> None:
    client.run(registration.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "caller"


def test_a_worker_that_vanished_delays_a_negotiation_and_does_not_prevent_it(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "START_TIMEOUT_S", 0.2)
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("sink", accepts=NUMBER)))
    client.run(heartbeats.beat(keys.workers, f"{NEGOTIATION_WORKER}/ghost", now_ms=time.time_ns() // 1_000_000))
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
            foreign.enqueue_call(sealed_jobs.ENTRY, args=("{}",), on_failure=None, meta={"x": 1}),
            foreign.enqueue_call(sealed_jobs.ENTRY, args=("not json", "two")),
            foreign.enqueue_call(sealed_jobs.ENTRY, kwargs={"text": "{}"}),
        ]
        wait_until(lambda: all(job.get_status() == "failed" for job in hostile))
    assert not mark.exists()


def test_callbacks_and_instances_in_a_job_are_ignored(
    worker: object, settings: Settings, tmp_path: Path, client: Client
) -> None:
    question = msgspec.json.encode(Question(producer="p", consumer="c", produced=INTEGER, accepted=NUMBER)).decode()
    with jobs.connection(settings.url) as connection:
        foreign = _foreign_queue(connection, settings)
        job = foreign.create_job("shutil.rmtree", args=(str(tmp_path),))
        job.save()
        names = {f"{kind}_callback_name": "builtins.breakpoint" for kind in ("success", "failure", "stopped")}
        connection.hset(job.key, mapping=names)
        of_an_instance = foreign.create_job(sealed_jobs.ENTRY, args=(question,))
        of_an_instance.save()
        connection.hset(of_an_instance.key, "data", _data(sealed_jobs.ENTRY, "an instance", (question,)))
        of_another = foreign.create_job("os.mkdir", args=(question,))
        of_another.save()
        connection.hset(of_another.key, "data", _data("os.mkdir", None, (question,)))
        for put in (job, of_an_instance, of_another):
            connection.rpush(foreign.key, put.id)
        for put in (job, of_an_instance, of_another):
            wait_until(lambda put=put: put.get_status() in ("failed", "finished"))
            assert put.get_status() == "failed"
    assert tmp_path.exists()


def _data(function: str, instance: object, arguments: tuple[object, ...]) -> bytes:
    """What a job is to run, as RQ writes it."""
    return zlib.compress(JSONSerializer.dumps((function, instance, arguments, {})))


@pytest.mark.parametrize("kind", ["success", "failure", "stopped"])
def test_a_job_has_no_callback_whatever_its_fields_say(kind: str) -> None:
    job = sealed_jobs.SealedJob("x", connection=redis.Redis())
    job.restore({b"data": _data(sealed_jobs.ENTRY, None, ("{}",)), f"{kind}_callback_name".encode(): b"os.getcwd"})
    assert getattr(job, f"{kind}_callback") is None


def test_remote_commands_do_not_stop_the_worker(
    worker: subprocess.Popen[str], client: Client, settings: Settings
) -> None:
    with jobs.connection(settings.url) as connection:
        for key in connection.smembers("rq:workers"):
            name = key.decode().removeprefix("rq:worker:")
            connection.publish(f"rq:pubsub:{name}", '{"command": "shutdown", "created_at": 0}')
    client.run(registration.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "worker"
    assert worker.poll() is None


HOSTILE_FIELDS = {
    "created_at": "yesterday",
    "dependency_ids": "no JSON",
    "description": b"\xff\xfe",
    "status": "strange",
    "timeout": "soon",
    "result_ttl": "ten",
    "retry_intervals": "[",
    "worker_name": b"\xff",
    "rate_limit_concurrency": "many",
    "exc_info": b"\xff",
}


def test_what_others_write_into_its_keys_does_not_end_the_worker(
    worker: subprocess.Popen[str], client: Client, settings: Settings
) -> None:
    keys = Keys(settings.namespace)
    with jobs.connection(settings.url) as connection:
        foreign = _foreign_queue(connection, settings)
        odd = foreign.create_job("os.mkdir", args=("x",))
        odd.save()
        connection.hset(odd.key, mapping=HOSTILE_FIELDS)
        connection.set("rq:job:text", "no hash")
        connection.hset("rq:job:empty", "x", "y")
        connection.rpush(foreign.key, b"\xff\xfe", "text", "empty", "no such job", odd.id)
        connection.zadd(f"rq:wip:{foreign.name}", {b"\xff": 1.0, "no colon": 1.0})
        connection.sadd(f"rq:workers:{foreign.name}", b"rq:worker:\xff")
        wait_until(lambda: connection.hget(odd.key, "status") == b"failed", what="the odd job is refused")
        client.run(registration.register(keys, contract("sink", accepts=NUMBER)))
        with Publisher("src", settings=settings) as publisher:
            assert publisher.negotiate("sink", INTEGER).decided_by == "worker"
        # A worker that waits for the list would not look at what stands there instead for half a minute: it is handed
        # something, and finds the other when it looks for more.
        worker.send_signal(signal.SIGSTOP)
        connection.rpush(foreign.key, "no such job")
        connection.unlink(foreign.key)
        connection.set(foreign.key, "no list")
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: connection.type(foreign.key) == b"none", what="the key that is no queue is removed")
        with Publisher("src", settings=settings) as publisher:
            assert publisher.negotiate("sink", {**INTEGER, "title": "another question"}).decided_by == "worker"
    assert worker.poll() is None


def test_no_field_of_a_job_can_stop_it_from_being_read() -> None:
    """10,000 hashes whose fields hold anything."""
    chance, nowhere = random.Random(4), redis.Redis()
    names = [name.encode() for name in (*HOSTILE_FIELDS, "data", "origin", "meta", "webhooks", "enqueued_at")]
    for _ in range(10_000):
        fields = {name: chance.randbytes(chance.randrange(12)) for name in chance.sample(names, 6)}
        fields.setdefault(b"data", chance.randbytes(20))
        job = sealed_jobs.SealedJob("x", connection=nowhere)
        job.restore(fields)
        assert job.get_status(refresh=False) in JobStatus


def test_a_job_is_bounded_before_it_is_decompressed() -> None:
    bomb = zlib.compress(b" " * 8 * sealed_jobs.MAX_QUESTION_BYTES)
    job = sealed_jobs.SealedJob("x", connection=redis.Redis())
    tracemalloc.start()
    job.restore({b"data": bomb})
    assert tracemalloc.get_traced_memory()[1] < 3 * sealed_jobs.MAX_QUESTION_BYTES
    tracemalloc.stop()
    assert job.data == b""


ANSWERS = {
    "a job that is no hash": lambda server, job, done: server.set(job, "no hash"),
    "a job that strangely ended": lambda server, job, done: server.hset(job, mapping={"status": b"\xff"}),
    "an end that is no stream": lambda server, job, done: server.set(done, "no stream"),
    "an end without a status": lambda server, job, done: server.xadd(done, {b"\xff": b"\xff" * 1000}),
    "an end of another kind": lambda server, job, done: server.xadd(done, {"status": "strange"}),
    "an end that lies": lambda server, job, done: server.xadd(done, {"status": "finished"}),
    "fields that RQ could not read": lambda server, job, done: server.hset(job, mapping=HOSTILE_FIELDS | {"data": "x"}),
    "fields that are bombs": lambda server, job, done: server.hset(
        job, mapping={"status": "finished", **dict.fromkeys(("data", "result", "exc_info"), _BOMB)}
    ),
}
# What it is once it is decompressed, and what a caller takes beside it at the most.
_BOMB_BYTES = 64 * 1024 * 1024
_BOMB = zlib.compress(b" " * _BOMB_BYTES)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_caller_survives_whatever_a_job_answers(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """It is there before the job is, or comes as soon as it waits."""
    monkeypatch.setattr(jobs, "START_TIMEOUT_S", 0.2)
    monkeypatch.setattr(jobs, "ANSWER_TIMEOUT_S", 0.2)
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("sink", accepts=NUMBER)))
    client.run(heartbeats.beat(keys.workers, f"{NEGOTIATION_WORKER}/ghost", now_ms=time.time_ns() // 1_000_000))
    enqueue = jobs._enqueue
    with jobs.connection(settings.url) as connection, Publisher("src", settings=settings) as publisher:
        for when in ("before", "after"):

            def answered(queue: Any, id_: str, question: Question, when: str = when) -> None:
                key, done = sealed_jobs.SealedJob.key_for(id_), jobs.done_key(queue.name, id_)
                if when == "before":
                    ANSWERS[answer](connection, key, done)
                enqueue(queue, id_, question)
                if when == "after":
                    connection.unlink(key, done)
                    ANSWERS[answer](connection, key, done)

            monkeypatch.setattr(jobs, "_enqueue", answered)
            monkeypatch.setattr(jobs, "_unanswered", {})
            tracemalloc.start()
            agreement = publisher.negotiate("sink", {**INTEGER, "title": f"{answer} {when}"})
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert agreement.decided_by == "caller"
            assert peak < _BOMB_BYTES / 2


@pytest.mark.parametrize("status", ["queued", "started"])
def test_a_worker_that_only_says_that_it_lives_costs_one_wait(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Nor does one that says that it has begun."""
    for limit in ("START_TIMEOUT_S", "ANSWER_TIMEOUT_S"):
        monkeypatch.setattr(jobs, limit, 0.01)
    enqueue = jobs._enqueue

    def enqueued(queue: Any, id_: str, question: Question) -> None:
        enqueue(queue, id_, question)
        queue.connection.hset(sealed_jobs.SealedJob.key_for(id_), "status", status)

    monkeypatch.setattr(jobs, "_enqueue", enqueued)
    waits: list[float] = []
    plain = jobs._finished
    monkeypatch.setattr(jobs, "_finished", lambda *given: waits.append(1) or plain(*given))
    questions = [Question(producer=f"p{n}", consumer="c", produced=INTEGER, accepted=NUMBER) for n in range(5)]
    assert [jobs.submit(settings.namespace, settings.url, question) for question in questions] == [None] * 5
    assert len(waits) == 1


def test_it_comes_up_with_its_server_and_again_after_an_outage(home: Path, tmp_path: Path) -> None:
    url = f"unix://{private_server.socket_path(home)}"
    settings = Settings(home=home, url=url, namespace="n")
    environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_URL=url, CLAUDE_COMM_NAMESPACE="n")
    with errors_to(tmp_path) as errors:
        child = subprocess.Popen([sys.executable, "-m", "workers.negotiation"], env=environ)

    def interrupted(times: int) -> bool:
        return errors.events().count("worker.interrupted") >= times

    try:
        for life in (1, 2):
            wait_until(lambda life=life: interrupted(life), what="a word about the server")
            private_server.ensure(home)
            with connect(settings) as client:
                wait_until(lambda client=client: alive(client, settings) == 1, what="the worker lives")
                question = Question(producer=f"p{life}", consumer="c", produced=INTEGER, accepted=NUMBER)
                wait_until(lambda q=question: jobs.submit("n", url, q) is not None, what="an answer")
            private_server.stop(home)
    finally:
        child.terminate()
        assert child.wait(timeout=PATIENCE_S) == 0


def test_a_server_that_goes_away_as_the_loop_begins_anew_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ asks it for an address as it makes a worker: that ended the process."""

    def cut_off(*_: object) -> None:
        raise redis.ConnectionError("Connection closed by server.")

    monkeypatch.setattr(jobs, "worker", cut_off)
    reported: list[str] = []
    assert jobs._work(redis.Redis(), "n", "w.1", lambda question: None, reported.append) is False  # type: ignore[arg-type, return-value]
    assert reported == ["Connection closed by server."]


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
    ours = sealed_jobs.queue(connection, job_queue(settings.namespace))
    return Queue(ours.name, connection=connection, job_class=Job, serializer=ours.serializer)
