"""Names at the door, and every key on the server.

Law: no key is spelled anywhere else. Each key has a hash tag (`{m:NAME}`, `{t:TOPIC}` or `{registry}`), so one
module's keys share a cluster slot and modules spread over the cluster; no command touches two tags.

| key | type | lives |
| --- | --- | --- |
| `ns:{m:NAME}:inbox` | stream | trimmed below what all groups have acked and projections stored; until forgotten |
| `ns:{t:TOPIC}:topic` | stream | as an inbox |
| `ns:{m:NAME}:later` `ns:{t:TOPIC}:later` | sorted set, messages by due time (ms) | until due, then in the stream |
| `ns:{m:NAME}:dead` | stream | until purged or forgotten; of more than `CLAUDE_COMM_KEEP_DEAD` the oldest go, counted |
| `ns:{m:NAME}:events` | stream | as an inbox |
| `ns:{m:NAME}:seen` | sorted set, messages by when they were handled (ms) | as long as `dedup_s` says |
| `ns:{m:NAME}:replies:INSTANCE` | stream, replies to requests | a minute after the last (TTL); for a task a day |
| `ns:{m:NAME}:join:SESSION` | hash, parts that the module joins | a day after the last (TTL); the janitor renews it |
| `ns:{registry}:streams` | set of stream keys | for ever: what the projection follows |
| `ns:{registry}:news` | stream of stream keys that are written to | the last 10,000 |
| `ns:{registry}:modules` | hash, name to the record of the module: its releases | until forgotten |
| `ns:{registry}:contracts` | hash, digest to contract | until its module is forgotten |
| `ns:{registry}:instances` | sorted set, `module/instance` by last heartbeat (ms) | pruned after a day |
| `ns:{registry}:dropped` | hash, module to how many buried messages were dropped for newer ones | until forgotten |
| `ns:{registry}:beats:NAME` | hash, its instances to their signed heartbeats, where it signs | a day (TTL) |
| `ns:{registry}:awaited` | sorted set, `module/AWAITED` by when it waited last (ms) | pruned after a day |
| `ns:{registry}:running:NAME` | hash, its instances to the release that each runs | pruned with its heartbeats |
| `ns:{registry}:changes` | stream of what changed in the registry | the last thousand or so |
| `ns:{registry}:history:NAME` | stream of what changed at that module | until forgotten; the last ten thousand or so |
| `ns:{registry}:audit` | stream of what administrators did | the last ten thousand or so |
| `ns:{registry}:workers` | sorted set, `worker/instance` by last heartbeat (ms) | pruned after a day |
| `ns:{registry}:projections` | sorted set, projection by when it last reported (ms) | pruned after a day |
| `ns:{registry}:stored:PROJECTION` | hash, stream key to the last entry stored, and the count | a day after reporting |
| `ns:{registry}:settled:PROJECTION` | hash, stream key to the last entry id that may be trimmed | as `stored` |
| `ns:{registry}:limits` | hash, module to the most that may wait in its inbox | until forgotten |
| `ns:{registry}:task:ID` | hash, a task of an agent | a day (TTL) |
| `ns:{registry}:agreements` | hash, digest to agreement | a week, and while a version, a run or a message may use it |
| `ns:{registry}:keyring` | string, the keys that may sign, signed by the admin | for ever |
| `ns:{registry}:sessions` | hash, session to its pipeline | a day after its end, a week after its last sign of life |
| `ns:{registry}:session-members` | sorted set, who has a session open, by last heartbeat (ms) | pruned after a day |
| `ns:{registry}:pairs` | hash, `PRODUCER/CONSUMER/TYPE` to what was agreed between them, and before | until forgotten |
| `ns:{registry}:edges:NAME` | set of the pairs of a module or topic, and of who reads that topic | until forgotten |
| `rq:done:NAMESPACE.negotiation:JOB` | stream, that the job has ended | a minute (TTL) |
| `rq:job:JOB` | hash, a question for the negotiation worker | an hour, a minute once answered (TTL); `trim --jobs` |
| `rq:worker:INSTANCE` | hash, a life of the negotiation worker | two minutes after its last word (TTL) |
| `rq:queues` `rq:workers` `rq:KIND:NAMESPACE.negotiation` | RQ's queue, registries and workers | emptied as jobs end |
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias, cast

import msgspec

from claude_comm.errors import ConfigurationError, InvalidName

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

StreamKind: TypeAlias = Literal["inbox", "topic", "events"]
TOPIC_PREFIX = "topic:"
# How the inbox begins in which the results of a pipeline's session are gathered: nobody runs as that module.
COLLECTOR = "pipe."
# The workers, as they appear in heartbeats, in `claude-comm worker NAME` and in log files.
NEGOTIATION_WORKER = "negotiation"
PROGRESS_WORKER = "progress"
JANITOR_WORKER = "janitor"
MAX_SESSION_CHARACTERS = 128


def check_name(name: object, what: str = "module") -> str:
    """The name itself, or InvalidName."""
    try:
        return _name(name, what)
    except TypeError:  # it is not hashable
        raise InvalidName(what, name) from None


@lru_cache(maxsize=4096)
def _name(name: object, what: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidName(what, name)
    return name


def is_name(text: str) -> bool:
    """Whether it could be the name of anything of ours."""
    return _NAME.fullmatch(text) is not None


def check_target(target: object) -> str:
    """A module name, or `topic:NAME`."""
    if isinstance(target, str) and target.startswith(TOPIC_PREFIX):
        check_name(target[len(TOPIC_PREFIX) :], "topic")
        return target
    return check_name(target, "target")


def check_session(session: object) -> str:
    """Free text of 1 to 128 characters without control characters."""
    if not isinstance(session, str) or not 0 < len(session) <= MAX_SESSION_CHARACTERS or _CONTROL.search(session):
        raise ConfigurationError(
            f"a session is named by 1 to {MAX_SESSION_CHARACTERS} characters, none of them a control character."
        )
    return session


_STREAM = re.compile(rf"({_NAME.pattern}):\{{([mt]):({_NAME.pattern})\}}:(inbox|topic|events)")
_KINDS = {"inbox": "m", "events": "m", "topic": "t"}


class Stream(msgspec.Struct, frozen=True):
    """A stream that the projection follows: its key, and whose inbox, topic or events it is."""

    key: str
    kind: StreamKind
    name: str


def tag(key: str) -> str:
    """The hash tag of one of our keys: keys that share it are on one node."""
    return key.partition("{")[2].partition("}")[0] or key


def beats_beside(heartbeats: str, name: str) -> str:
    """Where the heartbeats of that name are signed that stand in this sorted set."""
    return f"{heartbeats.rpartition(':')[0]}:beats:{name}"


def job_queue(namespace: str) -> str:
    """RQ's queue of the negotiation worker: its keys end with this name."""
    return f"{namespace}.{NEGOTIATION_WORKER}"


class Keys(msgspec.Struct, frozen=True):
    """The keys of one namespace."""

    namespace: str = "comm"

    def parse_stream(self, key: bytes) -> Stream | None:
        """What this key is the stream of; None for a key that is no stream of this namespace."""
        match = _STREAM.fullmatch(key.decode("ascii", "replace"))
        if match is None or match[1] != self.namespace or _KINDS[match[4]] != match[2]:
            return None
        return Stream(match[0], cast(Literal["inbox", "topic", "events"], match[4]), match[3])

    def inbox(self, module: str) -> str:
        return f"{self.namespace}:{{m:{module}}}:inbox"

    def topic(self, topic: str) -> str:
        return f"{self.namespace}:{{t:{topic}}}:topic"

    def stream(self, target: str) -> str:
        """Where a message to this target goes: an inbox, or a topic for `topic:NAME`."""
        if target.startswith(TOPIC_PREFIX):
            return self.topic(target[len(TOPIC_PREFIX) :])
        return self.inbox(target)

    def later(self, target: str) -> str:
        """Where messages to this target, a module or `topic:NAME`, wait until they are due."""
        return self.later_of(self.stream(target))

    def later_of(self, stream: str) -> str:
        """What waits beside this inbox or topic, under the same hash tag."""
        return stream.rpartition(":")[0] + ":later"

    def dead(self, module: str) -> str:
        return f"{self.namespace}:{{m:{module}}}:dead"

    def events(self, module: str) -> str:
        return f"{self.namespace}:{{m:{module}}}:events"

    def seen(self, module: str) -> str:
        return f"{self.namespace}:{{m:{module}}}:seen"

    def replies(self, module: str, instance: str) -> str:
        """Where one publisher of this module reads the answers to its requests."""
        return f"{self.namespace}:{{m:{module}}}:replies:{instance}"

    def join(self, module: str, session: str) -> str:
        """Where the parts wait that a module joins."""
        return f"{self.namespace}:{{m:{module}}}:join:{session}"

    @property
    def streams(self) -> str:
        return f"{self.namespace}:{{registry}}:streams"

    @property
    def news(self) -> str:
        return f"{self.namespace}:{{registry}}:news"

    @property
    def modules(self) -> str:
        return f"{self.namespace}:{{registry}}:modules"

    @property
    def contracts(self) -> str:
        return f"{self.namespace}:{{registry}}:contracts"

    def running(self, module: str) -> str:
        return f"{self.namespace}:{{registry}}:running:{module}"

    @property
    def changes(self) -> str:
        return f"{self.namespace}:{{registry}}:changes"

    def history(self, module: str) -> str:
        return f"{self.namespace}:{{registry}}:history:{module}"

    @property
    def audit(self) -> str:
        return f"{self.namespace}:{{registry}}:audit"

    @property
    def pairs(self) -> str:
        return f"{self.namespace}:{{registry}}:pairs"

    def edges(self, target: str) -> str:
        """The pairs of a module, or of `topic:NAME`."""
        return f"{self.namespace}:{{registry}}:edges:{target}"

    @property
    def instances(self) -> str:
        return f"{self.namespace}:{{registry}}:instances"

    def beats(self, name: str) -> str:
        """The signed heartbeats of a module's or a worker's instances."""
        return beats_beside(self.instances, name)

    @property
    def dropped(self) -> str:
        return f"{self.namespace}:{{registry}}:dropped"

    @property
    def awaited(self) -> str:
        return f"{self.namespace}:{{registry}}:awaited"

    @property
    def workers(self) -> str:
        return f"{self.namespace}:{{registry}}:workers"

    @property
    def projections(self) -> str:
        return f"{self.namespace}:{{registry}}:projections"

    def stored(self, projection: str) -> str:
        return f"{self.namespace}:{{registry}}:stored:{check_name(projection, 'projection')}"

    def durable(self, projection: str) -> str:
        return f"{self.namespace}:{{registry}}:settled:{check_name(projection, 'projection')}"

    @property
    def limits(self) -> str:
        return f"{self.namespace}:{{registry}}:limits"

    @property
    def agreements(self) -> str:
        return f"{self.namespace}:{{registry}}:agreements"

    @property
    def session_members(self) -> str:
        """Who has a session open, as `module/instance`, by their last heartbeat."""
        return f"{self.namespace}:{{registry}}:session-members"

    @property
    def keyring(self) -> str:
        return f"{self.namespace}:{{registry}}:keyring"

    def task(self, task: str) -> str:
        """The task of an agent with that id."""
        return f"{self.namespace}:{{registry}}:task:{check_name(task, 'task')}"

    @property
    def sessions(self) -> str:
        return f"{self.namespace}:{{registry}}:sessions"
