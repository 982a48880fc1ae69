"""RQ's job, queue and worker, sealed against what others write into their keys.

Law: a job can do one thing: answer one question, given as JSON text. RQ's own serialisers do not make it safe, since
any importable function that a job names would run; and RQ reads every field of a job's hash, every id in its lists and
every remote command, one odd byte of which ends its worker. So only the question is taken from a job, bounded before
it is decompressed; an id that RQ would not read is passed over; remote commands are not heard; and the maintenance
looks at no more than the keys of this one queue, as bytes.
"""

from __future__ import annotations

import os
import re
import signal
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

import msgspec
import redis
from rq import Queue, Worker
from rq.exceptions import DequeueTimeout, DeserializationError, NoSuchJobError, StopRequested
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker.base import WorkerStatus

from claude_comm.errors import ClaudeCommError, SchemaError
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.runtime.prepared_child import PreparedChild

# The only function name that a job may carry. It is a label: nothing is imported by it.
ENTRY = "negotiate"
# The largest question: two schemas of several megabytes each. A megabyte of zeros compressed is a gigabyte.
MAX_QUESTION_BYTES = 16 * 1024 * 1024
# A job that runs longer is killed with its process.
JOB_TIMEOUT_S = 30
# The answer itself is stored in the registry; the job's own result only says that there is one.
RESULT_TTL_S = 60
FAILURE_TTL_S = 3600
# RQ waits for a job for 15 s less than this before it looks around again, so that a queue whose key somebody replaced
# while the worker waited is mended after half a minute; RQ's own seven minutes would be as long without answers.
WORKER_TTL_S = 45

# Of the two minutes and more that RQ takes a worker for alive without a word.
_BEAT_EVERY_S = 15.0

# As RQ reads ids: any other ends its loop.
_PLAIN_ID = re.compile(rb"[A-Za-z0-9_-]{1,200}")
_REGISTRIES = ("wip", "finished", "failed", "deferred", "ready", "scheduled", "canceled")

Decide = Callable[[Question], Agreement]


class JobRefused(ClaudeCommError):
    """A job that is not a negotiation: nothing of it is run."""


class SealedJob(Job):
    """A job that can only carry a question. `queue_name` is set once by the worker process."""

    queue_name = ""

    def restore(self, raw_data: Any) -> None:
        """Takes the question from the job's hash, and its status. Everything else is as in a new job."""
        fields: Mapping[bytes, bytes] = dict(raw_data)
        if b"data" not in fields:
            raise NoSuchJobError(f"job {self.id} has no data.")
        self.data = _inflated(fields[b"data"])
        self._status = _status(fields.get(b"status"))
        self.origin, self.created_at = self.queue_name, now()
        self.timeout, self.result_ttl, self.failure_ttl = JOB_TIMEOUT_S, RESULT_TTL_S, FAILURE_TTL_S

    def get_status(self, refresh: bool = True) -> JobStatus:
        return _status(self.connection.hget(self.key, "status")) if refresh else self._status

    @property
    def success_callback(self) -> None:
        return None

    @property
    def failure_callback(self) -> None:
        return None

    @property
    def stopped_callback(self) -> None:
        return None

    @property
    def question(self) -> str:
        """The question as JSON text, not read yet. Raises JobRefused."""
        if self.func_name != ENTRY or self.instance is not None:
            raise JobRefused(f"job {self.id} names {self.func_name!r}; this worker only runs {ENTRY!r}.")
        return _only_argument(self)

    def _execute(self) -> str:
        raise JobRefused("a job is answered by the prepared child, and never run.")


class SealedQueue(Queue):
    """A queue that goes on behind what is no job of ours."""

    job_class = SealedJob

    @classmethod
    def lmove(cls, connection: redis.Redis, queue_key: str, timeout: int | None) -> Any:
        """The next id; one that RQ would not read is taken off and passed over."""
        while (moved := super().lmove(connection, queue_key, timeout)) is not None:
            if _PLAIN_ID.fullmatch(moved[1]):
                return moved
            connection.lrem(cls(_name(queue_key), connection=connection).intermediate_queue_key, 0, moved[1])
        return None

    @classmethod
    def _fetch_dequeued_job(
        cls, connection: redis.Redis, queue_key: str, job_id: str, *options: Any, **more: Any
    ) -> Any:
        """The job; None for a key that holds something else, which is removed."""
        try:
            return super()._fetch_dequeued_job(connection, queue_key, job_id, *options, **more)
        except redis.ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            connection.unlink(Job.key_for(job_id))
            return None


class DeafWorker(Worker):
    """RQ's worker, without its remote commands, and with one prepared child instead of a fork for each job.

    `asked_to_end` tells why it ended: RQ swallows failures. `ready` is called when it waits for a job.
    """

    child: PreparedChild
    _beat_at = 0.0

    job_class = SealedJob
    queue_class = SealedQueue
    asked_to_end = False
    ready: Callable[[], object] = staticmethod(lambda: None)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_end = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Has the child answer; whoever waits for the end of the job is woken by it."""
        self._state = WorkerStatus.BUSY
        status, ttl_s = JobStatus.FINISHED, RESULT_TTL_S
        self.connection.hset(job.key, "status", JobStatus.STARTED)
        try:
            assert isinstance(job, SealedJob)
            self.child.begin(job.question)
            self.child.end(JOB_TIMEOUT_S)
        except (ClaudeCommError, DeserializationError, ValueError, TypeError) as error:
            self.log.warning("job %s failed: %s", job.id, error)
            status, ttl_s = JobStatus.FAILED, FAILURE_TTL_S
        done = done_key(queue.name, job.id)
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.hset(job.key, "status", status)
            pipe.expire(job.key, ttl_s)
            pipe.lrem(queue.intermediate_queue_key, 0, job.id)
            pipe.xadd(done, {"status": status}, maxlen=1)
            pipe.expire(done, RESULT_TTL_S)
            pipe.execute()
        self._state = WorkerStatus.IDLE

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Says that it lives: not more often than it matters to RQ, which does so several times a job."""
        if pipeline is not None or time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + _BEAT_EVERY_S
            super().heartbeat(timeout, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        """Ignored: whoever can write on the server could stop the worker."""

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        self.child.kill()

    def subscribe(self) -> None:
        """Not done: remote commands are not heard, and a lost connection ends the thread that would wait for them."""

    def handle_payload(self, message: Any) -> None:
        """Ignored: whoever can publish on the server could stop the worker."""

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next job and its queue. A server that goes away ends the loop: RQ would wait up to a minute for it, and
        log each attempt."""
        self._state = WorkerStatus.IDLE
        while True:
            if self.asked_to_end:
                # What the signal raised was swallowed by whoever was at work then.
                raise StopRequested
            self.heartbeat()
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
            self.ready()
            with suppress(DequeueTimeout):
                return SealedQueue.dequeue_any(
                    self.queues,
                    timeout,
                    connection=self.connection,
                    job_class=SealedJob,
                    serializer=self.serializer,
                    death_penalty_class=self.death_penalty_class,
                )

    def run_maintenance_tasks(self) -> None:
        """Forgets ended jobs and workers that are gone."""
        tidy(self.connection, self.queues[0].name)
        self.last_cleaned_at = now()  # type: ignore[assignment]


def queue(connection: redis.Redis, name: str) -> SealedQueue:
    return SealedQueue(name, connection=connection, job_class=SealedJob, serializer=JSONSerializer)


def worker(connection: redis.Redis, queue_name: str, name: str, decide: Decide) -> DeafWorker:
    """A worker for this queue; `work()` runs until SIGTERM or SIGINT, finishing the job at hand."""
    SealedJob.queue_name = queue_name
    made = DeafWorker(
        [queue(connection, queue_name)],
        name=name,
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        log_job_description=False,
        # Else it looks for its address in the list of all clients, which a socket with a space in its path breaks.
        prepare_for_work=False,
    )
    made.pid, made.hostname = os.getpid(), ""
    made.child = PreparedChild(lambda text: answer(decide, text))
    made.child.prepare()
    return made


def answer(decide: Decide, text: str) -> str:
    """The id of the agreement on a question, given as JSON text. Raises JobRefused."""
    try:
        question = msgspec.json.decode(text, type=Question)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise JobRefused(f"the job carries no question: {error}.") from None
    try:
        return decide(question).id
    except SchemaError:
        # No failure of the job: the caller, who finds no agreement, meets the same error.
        return ""


def sealed_data(text: str) -> bytes:
    """A question as RQ keeps what a job is to do."""
    return zlib.compress(JSONSerializer.dumps((ENTRY, None, (text,), {})))


def done_key(queue_name: str, id_: str) -> str:
    """The stream on which the end of a job is announced to those who wait for it."""
    return f"rq:done:{queue_name}:{id_}"


def tidy(connection: redis.Redis, queue_name: str) -> None:
    """Keys of this queue that hold something else than RQ puts there go; so do entries whose time is over, ids that a
    killed worker was about to start (whoever asked has decided by itself), and workers that are gone."""
    jobs, registries = queue(connection, queue_name), [f"rq:{kind}:{queue_name}" for kind in _REGISTRIES]
    workers = f"rq:workers:{queue_name}"
    for key, kind in {jobs.key: b"list", workers: b"set", **dict.fromkeys(registries, b"zset")}.items():
        if connection.type(key) not in (kind, b"none"):
            connection.unlink(key)
    connection.unlink(jobs.intermediate_queue_key)
    for key in registries:
        connection.zremrangebyscore(key, 0, int(now().timestamp()))
    gone = [member for member in connection.smembers(workers) if not connection.exists(member)]
    if gone:
        connection.srem(workers, *gone)
        connection.srem("rq:workers", *gone)


def _name(queue_key: str) -> str:
    return queue_key.removeprefix(Queue.redis_queue_namespace_prefix)


def _inflated(data: bytes) -> bytes:
    """The data of a job, which RQ compresses; empty, which is no job of ours, where it is larger than a question."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_QUESTION_BYTES)
    except zlib.error:
        return data if len(data) <= MAX_QUESTION_BYTES else b""
    return b"" if inflater.unconsumed_tail else text


def _status(text: object) -> JobStatus:
    """A word that others wrote there counts as failed."""
    try:
        return JobStatus(text.decode("ascii") if isinstance(text, bytes) else text)
    except ValueError:
        return JobStatus.FAILED


def _only_argument(job: Job) -> str:
    arguments = job.args
    if job.kwargs or len(arguments) != 1 or not isinstance(arguments[0], str):
        raise JobRefused(f"job {job.id} carries arguments that are not one question.")
    return str(arguments[0])
