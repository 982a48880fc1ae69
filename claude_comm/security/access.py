"""What a module, a worker or a person may do on the server, as access rules of Valkey 8 and Redis 7 on.

Law: whatever is not named is refused. A rule is a set of commands on a set of keys, and stands in a selector of its
own: a command of the one is none on the keys of the other. `%R~` and `%W~` are keys that may be read or written only.

What such rules cannot say: which fields of a hash (one module may write what another one registered), which ids an
entry may have, and that `XADD` may not trim. Signatures tell who wrote what; who must not even be able to delete stays
outside, behind the gateway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.names import JANITOR_WORKER, NEGOTIATION_WORKER, PROGRESS_WORKER, TOPIC_PREFIX, Keys

Role: TypeAlias = Literal["module", "negotiation", "progress", "janitor", "operator"]
ROLES: dict[str, Role] = {
    "module": "module",
    "negotiation": "negotiation",
    "progress": "progress",
    "janitor": "janitor",
    "operator": "operator",
}

# What the rules are written for: a server refuses a rule that names a command which it does not have.
Server: TypeAlias = Literal["valkey9", "redis8", "redis7"]
SERVERS: dict[str, Server] = {"valkey9": "valkey9", "redis8": "redis8", "redis7": "redis7"}
# Came with Redis 7.2; whoever sends them elsewhere takes a refusal.
_UNKNOWN: dict[Server, tuple[str, ...]] = {"redis7": ("client|setinfo", "waitaof")}

_CONNECT = (
    "hello auth ping select reset quit client|id client|setname client|setinfo client|no-evict time info "
    "cluster|slots cluster|shards cluster|myid readonly command|docs"
).split()
_READ_STREAM = "xinfo|groups xinfo|stream xinfo|consumers xlen xrange xrevrange xread memory|usage".split()
_GROUP = "xreadgroup xack xautoclaim xclaim xpending xgroup|create xgroup|delconsumer".split()
_SORTED = "zadd zrem zrange zrangebyscore zremrangebyscore zcard zmscore".split()
_END = "pexpire unlink del exists".split()
# A script is allowed where all its keys are, and each of its commands as if it were sent by itself.
_SCRIPTS = ("eval", "evalsha")
_READ_HASH = (
    "hget hmget hgetall hkeys hexists hscan hlen smembers scard exists get getrange zrangebyscore zmscore zcard".split()
)
_LOOK = "scan type hscan sscan zrange xrange xrevrange lrange getrange".split()
_TASK = "hset hsetnx hget hgetall pexpire waitaof".split()
_WRITE_HASH = "hset hdel hincrby sadd srem zadd zrem zremrangebyscore pexpire unlink del".split()
_OWN = (
    *_SCRIPTS,
    *_READ_STREAM,
    *_GROUP,
    *_SORTED,
    *_END,
    "xadd",
    "waitaof",
    "xdel",
    "hget",
    "hmget",
    "hset",
    "hexists",
    "hlen",
    "hgetall",
)
# What RQ's queue, worker and jobs take.
_RQ = (
    "multi exec watch unwatch discard hset hget hmget hgetall hdel hincrby hexists hincrbyfloat expire pexpire "
    "expireat persist ttl exists del unlink sadd srem smembers sismember scard rpush lpush lpop rpop blpop brpop "
    "lmove blmove lrange lrem llen lpos zadd zrem zrange zrangebyscore zremrangebyscore zscore zcard publish "
    "subscribe unsubscribe psubscribe punsubscribe set get xadd xread client|list type keys scan time"
).split()
_RQ_KEYS = ("~rq:*", "&rq:*")


class Rule(msgspec.Struct, frozen=True):
    """Commands, and the keys that they may touch: patterns with `~` (both), `%R~` or `%W~`, and channels with `&`."""

    commands: Sequence[str]
    keys: Sequence[str]

    def words(self, unknown: Collection[str] = ()) -> list[str]:
        """The words of a selector, without the commands that the server does not know."""
        return [*self.keys, *(f"+{command}" for command in self.commands if command not in unknown)]


class Partners(msgspec.Struct, frozen=True):
    """Whom a module sends to (names of modules, `topic:NAME`, or `*` for all modules), and which topics it reads."""

    targets: Sequence[str] = ("*",)
    topics: Sequence[str] = ()


ANYBODY = Partners()


def rules(keys: Keys, role: Role, name: str = "", partners: Partners = ANYBODY) -> list[Rule]:
    """What is allowed, beyond connecting; `name` is the module's."""
    if role == "module":
        return [*_module(keys, name, partners), *_registry(keys), _proofs(keys, name)]
    return list(_WORKERS[role](keys))


def user_words(rules_: Iterable[Rule], server: Server = "valkey9") -> list[str]:
    """The words after `ACL SETUSER NAME`, without the password: what the user may do, and nothing else."""
    unknown = _UNKNOWN.get(server, ())
    connect = [word for word in _CONNECT if word not in unknown]
    selectors = [f"({' '.join(rule.words(unknown))})" for rule in rules_]
    return [
        "on",
        "resetkeys",
        "resetchannels",
        "clearselectors",
        "-@all",
        *(f"+{word}" for word in connect),
        *selectors,
    ]


# Who follows the primary, and who makes another server the primary.
REPLICA, SENTINEL = "replica", "sentinel"
_WATCHERS = {
    REPLICA: ["on", "-@all", "+psync", "+replconf", "+ping"],
    SENTINEL: [
        "on", "resetkeys", "allchannels", "-@all", "+ping", "+info", "+role", "+multi", "+exec", "+slaveof",
        "+config|rewrite", "+client|setname", "+client|kill", "+script|kill", "+subscribe", "+publish",
    ],
}  # fmt: skip


def file_users(keys: Keys, modules: Sequence[str], server: Server, *, watched: bool = False) -> dict[str, list[str]]:
    """The words of each user that a deployment needs: the workers, an operator, an administrator, and these modules;
    where Sentinels watch the server, they and its replicas. Raises ConfigurationError for a name that is taken.

    Whoever gives no password may ask whether the server answers, and nothing else: a health check has none.
    """
    users = {
        "default": ["on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping"],
        "admin": ["on", "allkeys", "allchannels", "+@all"],
    }
    users |= {role: user_words(rules(keys, role, role), server) for role in ROLES.values() if role != "module"}
    users |= _WATCHERS if watched else {}
    for name in modules:
        if name in users:
            raise ConfigurationError(f"module {name!r}: the deployment has a user of that name. Name it otherwise.")
        users[name] = user_words(rules(keys, "module", name), server)
    return users


def _module(keys: Keys, name: str, partners: Partners) -> list[Rule]:
    own = keys.inbox(name).removesuffix("inbox") + "*"
    streams = [keys.stream(target) for target in partners.targets if target != "*"]
    if "*" in partners.targets:
        streams.append(keys.inbox("*"))
    laters = [stream.rpartition(":")[0] + ":later" for stream in streams]
    # One command reads the inbox and the topics together, so they stand in one selector.
    read = [f"~{keys.topic(topic).removesuffix('topic')}*" for topic in partners.topics]
    rules = [
        Rule(_OWN, [f"~{own}", *read]),
        Rule(("xadd",), [f"%W~{stream}" for stream in streams]),
        # An outbox appends in steps that a full server takes whole or not at all. Within one, each command is checked.
        Rule(_SCRIPTS, [f"~{stream}" for stream in streams]),
        Rule(("zadd",), [f"%W~{later}" for later in laters]),
        # How much waits there: lengths and positions, no message.
        Rule(("xlen", "xinfo|groups", "xinfo|consumers"), [f"%R~{stream}" for stream in streams]),
        Rule(("xadd", "pexpire"), [f"%W~{keys.replies('*', '*')}"]),
    ]
    return [rule for rule in rules if rule.keys]


def _registry(keys: Keys) -> list[Rule]:
    """What every client reads and writes there: it announces streams, registers itself, and stores what was agreed."""
    shared = [
        keys.streams, keys.modules, keys.contracts, keys.running("*"), keys.instances, keys.awaited, keys.limits,
        keys.agreements, keys.pairs, keys.edges("*"), keys.sessions, keys.session_members,
    ]  # fmt: skip
    streams = [keys.news, keys.changes, keys.history("*")]
    read = [
        keys.keyring,
        keys.projections,
        keys.workers,
        keys.dropped,
        keys.beats("*"),
        _positions(keys, "stored"),
        _positions(keys, "settled"),
    ]
    return [
        Rule((*_SCRIPTS, *_READ_HASH, *_WRITE_HASH, "xadd"), [f"~{key}" for key in (*shared, *streams)]),
        Rule(("xread", "xrange", "xrevrange", "xlen"), [f"%R~{key}" for key in streams]),
        Rule(_READ_HASH, [f"%R~{key}" for key in read]),
    ]


def _positions(keys: Keys, kind: str) -> str:
    return f"{keys.namespace}:{{registry}}:{kind}:*"


def _negotiation(keys: Keys) -> list[Rule]:
    return [*_registry(keys), *_heartbeat(keys, NEGOTIATION_WORKER), Rule(_RQ, _RQ_KEYS)]


def _progress(keys: Keys) -> list[Rule]:
    """Reads every stream, and records how far it is: the only role beside the janitor that may."""
    # One read waits for all of them, and for news of others.
    streams = [f"%R~{keys.namespace}:{{{kind}:*}}:{name}" for kind, name in _STREAMS] + [f"%R~{keys.news}"]
    positions = [f"~{_positions(keys, kind)}" for kind in ("stored", "settled")]
    return [
        Rule((*_READ_STREAM, "zcard", "zrange"), streams),
        Rule((*_READ_HASH, *_WRITE_HASH), [*positions, f"~{keys.projections}"]),
        *_registry(keys),
        *_heartbeat(keys, PROGRESS_WORKER),
    ]


def _janitor(keys: Keys) -> list[Rule]:
    """Trims, reaps and moves what is due: every key of every module, and no message is sent to anybody."""
    everything = [f"~{keys.namespace}:{{m:*}}:*", f"~{keys.namespace}:{{t:*}}:*"]
    return [
        Rule((*_OWN, "xtrim", "xgroup|destroy", "hdel"), everything),
        Rule((*_READ_HASH, *_WRITE_HASH), [f"~{keys.dropped}", f"~{keys.projections}", f"~{keys.workers}"]),
        *_registry(keys),
        _proofs(keys, "*"),
        Rule(_RQ, _RQ_KEYS),
    ]


def _operator(keys: Keys) -> list[Rule]:
    """The command line: what the janitor may, and the keyring."""
    return [
        *_janitor(keys),
        # What changes the keyring is noted in the same step.
        Rule((*_SCRIPTS, "get", "set", "xadd", "xrange", "xrevrange", "xlen"), [f"~{keys.keyring}", f"~{keys.audit}"]),
        Rule((*_READ_HASH, *_WRITE_HASH), [f"~{_positions(keys, kind)}" for kind in ("stored", "settled")]),
        # `forget` removes in one command what the registry has of a module.
        Rule(("unlink",), [f"~{key('*')}" for key in (keys.running, keys.beats, keys.history, keys.edges)]),
        # Tasks of agents: the MCP server is an operator's.
        Rule(_TASK, [f"~{keys.namespace}:{{registry}}:task:*"]),
        # `trim --jobs`
        Rule(("unlink", "zrem"), ["~rq:*"]),
        # What `status` looks at, to name what others wrote there.
        Rule(_LOOK, [f"%R~{keys.namespace}:*", "%R~rq:*"]),
    ]


def _heartbeat(keys: Keys, worker: str) -> list[Rule]:
    return [Rule(("zadd", "zremrangebyscore", "zrem", "zrangebyscore"), [f"~{keys.workers}"]), _proofs(keys, worker)]


def _proofs(keys: Keys, name: str) -> Rule:
    """A module's own signed heartbeats: nobody else may write there."""
    return Rule(("hset", "hdel", "pexpire", "unlink"), [f"~{keys.beats(name)}"])


_STREAMS = (("m", "inbox"), ("m", "events"), ("t", "topic"), ("m", "later"), ("m", "dead"))
_WORKERS = {
    NEGOTIATION_WORKER: _negotiation,
    PROGRESS_WORKER: _progress,
    JANITOR_WORKER: _janitor,
    "operator": _operator,
}


def server_of(facts: bytes) -> Server:
    """The kind of server that says this of itself (`INFO server`)."""
    if b"valkey_version:" in facts:
        return "valkey9"
    return "redis7" if b"redis_version:7." in facts else "redis8"


def targets_of(produces: Iterable[str]) -> list[str]:
    """Whom a contract with these targets sends to; a target that it leaves open is any module."""
    named = sorted({target or "*" for target in produces})
    modules = [target for target in named if not target.startswith(TOPIC_PREFIX)]
    topics = [target for target in named if target.startswith(TOPIC_PREFIX)]
    return [*(["*"] if "*" in modules else modules), *topics]
