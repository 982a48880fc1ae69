"""Negotiation jobs on RQ, sealed.

Law: a job can do one thing: answer one question, given as JSON text. RQ's own serialisers do not make it safe, since
any importable function that a job names would run; so the Job class here ignores every callback, webhook, instance
and dependency that stands in a job's hash, and refuses any function but the one entry point. The worker also
ignores RQ's remote commands, which anybody on the server may publish.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import redis
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from claude_comm.errors import ClaudeCommError, SchemaError, ServerUnreachable
from claude_comm.names import NEGOTIATION_WORKER
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.settings import public

# The only function name that a job may carry. It is a label: nothing is imported by it.
ENTRY = "negotiate"

# How long a caller waits for the worker before it does the work itself.
ANSWER_TIMEOUT_S = 15.0
# A job that runs longer is killed with its process.
JOB_TIMEOUT_S = 30
# The answer itself is stored in the registry; the job's own result only says that it is there.
RESULT_TTL_S = 60
FAILURE_TTL_S = 3600
_POLL_S = 0.01

Decide = Callable[[Question], Agreement]


class JobRefused(ClaudeCommError):
    """A job that is not a negotiation: nothing of it is run."""


class SealedJob(Job):
    """A job that can only answer a question. `decide` is set once by the worker process."""

    decide: Decide | None = None

    def restore(self, raw_data: Any) -> Any:
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        self._dependency_ids = []
        self.retries_left = self.repeats_left = None
        self.rate_limit_key = self.rate_limit_concurrency = None

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
    def func(self) -> Callable[[str], str]:
        if self.func_name != ENTRY or self.instance is not None:
            raise JobRefused(f"job {self.id} names {self.func_name!r}; this worker only runs {ENTRY!r}.")
        return self._answer

    def _execute(self) -> str:
        return self.func(_only_argument(self))

    def _answer(self, text: str) -> str:
        if self.decide is None:
            raise JobRefused("this process answers no questions.")
        try:
            question = msgspec.json.decode(text, type=Question)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise JobRefused(f"job {self.id} carries no question: {error}.") from None
        try:
            return type(self).decide(question).id  # type: ignore[misc]
        except SchemaError as error:
            # A schema that cannot be used is an answer, not a failure of the job.
            return msgspec.json.encode({"schema_error": error.sentence, "path": error.path}).decode()


class DeafWorker(Worker):
    """RQ's forking worker, without its remote commands."""

    job_class = SealedJob

    def handle_payload(self, message: Any) -> None:
        """Ignored: whoever can publish on the server could stop the worker."""


def queue(connection: redis.Redis, namespace: str) -> Queue:
    return Queue(
        f"{namespace}.{NEGOTIATION_WORKER}", connection=connection, job_class=SealedJob, serializer=JSONSerializer
    )


def connection(url: str) -> redis.Redis:
    """RQ's own connection: it expects redis-py's defaults."""
    return redis.Redis.from_url(url)


def worker(connection: redis.Redis, namespace: str, name: str, decide: Decide) -> DeafWorker:
    """A worker for this namespace; `work()` runs until SIGTERM or SIGINT, finishing the job at hand."""
    SealedJob.decide = staticmethod(decide)
    return DeafWorker(
        [queue(connection, namespace)],
        name=name,
        connection=connection,
        serializer=JSONSerializer,
        log_job_description=False,
    )


def submit(namespace: str, url: str, question: Question) -> str | None:
    """Has the worker answer the question. Its agreement's id, or None when no answer came in time.

    The job is named by the question's digest, so that many who ask the same at once share one job. Raises
    SchemaError for a schema that cannot be used, ServerUnreachable.
    """
    try:
        with connection(url) as opened:
            return _answer(_enqueued(opened, namespace, question))
    except redis.RedisError as error:
        raise ServerUnreachable(public(url), str(error)) from None


def _enqueued(opened: redis.Redis, namespace: str, question: Question) -> Job:
    jobs = queue(opened, namespace)
    id_ = agreements.digest(question)
    running = jobs.fetch_job(id_)
    if running is not None and running.get_status() in (JobStatus.QUEUED, JobStatus.STARTED):
        return running
    text = msgspec.json.encode(question).decode()
    return jobs.enqueue_call(
        ENTRY, args=(text,), job_id=id_, timeout=JOB_TIMEOUT_S, result_ttl=RESULT_TTL_S, failure_ttl=FAILURE_TTL_S
    )


def _answer(job: Job) -> str | None:
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while (status := job.get_status()) not in (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED):
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)
    if status != JobStatus.FINISHED:
        return None
    answer = job.return_value(refresh=True)
    if not isinstance(answer, str):
        return None
    if answer.startswith("{"):
        refusal = msgspec.json.decode(answer, type=dict[str, str])
        raise SchemaError(refusal["schema_error"], path=refusal["path"])
    return answer


def _only_argument(job: Job) -> str:
    arguments = job.args
    if job.kwargs or len(arguments) != 1 or not isinstance(arguments[0], str):
        raise JobRefused(f"job {job.id} carries arguments that are not one question.")
    return str(arguments[0])
