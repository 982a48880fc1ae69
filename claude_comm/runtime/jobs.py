"""Negotiation jobs: a caller submits a question, the negotiation worker answers it.

Law: the answer is in the registry, under the digest of the question; of the job itself a caller looks at the status and
at nothing else. A worker that does not answer delays a caller once, not each time; it never stops one.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import redis
import redis.sentinel
from redis.connection import SSLConnection, parse_url
from rq.exceptions import StopRequested

from claude_comm.addresses import on_sentinel, parse_sentinel, public
from claude_comm.effects import REPLY_WITHIN_MS
from claude_comm.errors import ServerUnreachable, TransportError
from claude_comm.names import job_queue
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Question
from claude_comm.runtime.outage import Outage, until_reached
from claude_comm.runtime.sealed_jobs import (
    FAILURE_TTL_S,
    Decide,
    SealedQueue,
    done_key,
    queue,
    sealed_data,
    tidy,
    worker,
)
from claude_comm.runtime.signals import ended_by_signals
from claude_comm.telemetry.logs import EventLog

# How long a caller waits before it does the work itself: for the job to begin, and for its end.
START_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 15.0
# After a wait in vain no worker of that queue is asked for so long: one that only says that it lives costs one wait.
UNANSWERED_S = 60.0
# How long one wait for the end of a job may take: less than the socket waits.
_WAIT_MS = 3_000
_CONNECT_TIMEOUT_S = 5.0
# Waits after RQ's loop ended by itself, doubling from the first to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 10.0
_WAITING, _BEGUN = (b"queued", b"deferred", b"scheduled", b"created"), (b"started",)

# Queues (server, name) whose worker left a question unanswered, by when they may be asked again.
_unanswered: dict[tuple[str, str], float] = {}


def connection(url: str) -> redis.Redis:
    """RQ's own connection: it expects redis-py's defaults, but for the time that it may wait."""
    bounds: dict[str, Any] = {
        "socket_timeout": REPLY_WITHIN_MS / 1000,
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
    }
    if not on_sentinel(url):
        return redis.Redis.from_url(url, **bounds)
    places = parse_sentinel(url)
    of_sentinels, of_server = (
        {**parse_url(address), **bounds} for address in (places.sentinel("localhost", 0), places.server("localhost", 0))
    )
    for options in (of_sentinels, of_server):
        tls = options.pop("connection_class", None) is SSLConnection
        options.update({"ssl": True} if tls else {})
        # The Sentinels say where.
        for place in ("host", "port"):
            options.pop(place, None)
    sentinels = redis.sentinel.Sentinel(places.sentinels, sentinel_kwargs=of_sentinels)
    client: redis.Redis = sentinels.master_for(places.service, **of_server)
    return client


@functools.lru_cache(maxsize=8)
def _shared(url: str) -> redis.Redis:
    """The connections of this process to one server, for its questions: to open one takes longer than many answers."""
    return connection(url)


def submit(namespace: str, url: str, question: Question) -> str | None:
    """Has the worker answer the question. The id of the agreement, or None when no answer came in time.

    The job is named by its queue and the question's digest, so that many who ask the same at once share one job. Where
    the schemas cannot be used there is no agreement under the id returned. Raises ServerUnreachable.
    """
    place = url, job_queue(namespace)
    if time.monotonic() < _unanswered.get(place, 0.0):
        return None
    agreement_id = agreements.digest(question)
    id_ = hashlib.sha256(f"{place[1]} {agreement_id}".encode()).hexdigest()
    try:
        jobs = queue(_shared(url), place[1])
        _enqueue(jobs, id_, question)
        answered = _finished(jobs, id_)
    except redis.RedisError as error:
        if str(error).startswith("WRONGTYPE"):
            # Another program wrote something else where the job or its end is to stand: the caller decides.
            return None
        raise ServerUnreachable(public(url), str(error)) from None
    if answered is None:
        _unanswered[place] = time.monotonic() + UNANSWERED_S
    return agreement_id if answered else None


def serve(
    url: str,
    namespace: str,
    name: str,
    decide: Decide,
    log: EventLog,
    probe: Callable[[], object],
    report: Callable[[str], object],
) -> None:
    """Works until SIGTERM or SIGINT. RQ's loop ends by itself when its server goes away, or at something that it cannot
    read; then it is begun anew, once `probe` succeeds: permissions may be given later as well. `report` is told
    whether it works."""
    outage, pause_s = Outage(log, "worker", lambda trouble: trouble and report(trouble)), _FIRST_PAUSE_S
    with ended_by_signals(), connection(url) as opened:
        for life in itertools.count():
            until_reached(probe, outage, threading.Event(), TransportError)
            begun = time.monotonic()
            if _work(opened, namespace, f"{name}.{life}", decide, report):
                return
            pause_s = _FIRST_PAUSE_S if time.monotonic() - begun > _LAST_PAUSE_S else min(pause_s * 2, _LAST_PAUSE_S)
            time.sleep(pause_s)


def _work(opened: redis.Redis, namespace: str, name: str, decide: Decide, report: Callable[[str], object]) -> bool:
    """One life of RQ's worker; whether a signal ended it."""
    try:
        one_life = worker(opened, job_queue(namespace), name, decide)
    except redis.RedisError as error:  # RQ asks the server already as it makes a worker
        report(str(error))
        return False
    one_life.ready = lambda: report("")
    trouble = "RQ's loop ended by itself: its log says why"
    try:
        with ended_by_signals():
            tidy(opened, job_queue(namespace))
            one_life.work(logging_level="WARNING")
    except StopRequested:
        pass  # a signal met its leave-taking
    except redis.RedisError as error:
        trouble = str(error)
    finally:
        one_life.child.stop()
    if not one_life.asked_to_end:
        report(trouble)
    return one_life.asked_to_end


def _enqueue(jobs: SealedQueue, id_: str, question: Question) -> None:
    """Puts the question into the queue, unless it is there or being answered."""
    if _status(jobs, id_) not in (*_WAITING, *_BEGUN):
        # What RQ would write, without the fields that nobody reads of a sealed job: in one exchange.
        data = sealed_data(msgspec.json.encode(question).decode())
        key = jobs.job_class.key_for(id_)
        with jobs.connection.pipeline(transaction=False) as pipe:
            pipe.unlink(done_key(jobs.name, id_))
            pipe.sadd(SealedQueue.redis_queues_keys, jobs.key)
            pipe.hset(key, mapping={"data": data, "status": "queued", "origin": jobs.name})
            pipe.expire(key, FAILURE_TTL_S)
            pipe.rpush(jobs.key, id_)
            pipe.execute()


def _finished(jobs: SealedQueue, id_: str) -> bool | None:
    """Whether the job ended well; None when it did not begin, or not end, in time."""
    begun = time.monotonic()
    done, begin_by, end_by = done_key(jobs.name, id_), begun + START_TIMEOUT_S, begun + ANSWER_TIMEOUT_S
    until = begin_by
    while True:
        wait_ms = max(int((until - time.monotonic()) * 1000), 1)
        if reply := jobs.connection.xread({done: "0-0"}, count=1, block=min(wait_ms, _WAIT_MS)):
            return _status_in(reply) == b"finished"
        if (status := _status(jobs, id_)) not in (*_WAITING, *_BEGUN):
            return status == b"finished"
        until = begin_by if status in _WAITING else end_by
        if time.monotonic() >= until:
            return None


def _status_in(reply: Any) -> object:
    """The status in the entry that tells of the end of a job: in whichever form redis-py gives it."""
    ((_key, entries),) = reply.items() if isinstance(reply, dict) else reply
    (_id, fields) = entries[0] if isinstance(entries[0], tuple) else entries[0][0]
    return fields.get(b"status")


def _status(jobs: SealedQueue, id_: str) -> bytes | None:
    """What the job's hash says, as it stands there."""
    text = jobs.connection.hget(jobs.job_class.key_for(id_), "status")
    return text if isinstance(text, bytes) else None
