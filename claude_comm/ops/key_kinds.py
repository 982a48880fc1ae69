"""Each kind of key on the server: how it is spelled, what type it has, and what may stand in it.

Law: total. A row for each row of docs/keys.md; its `fault` says in words why a value that stands there is none of ours,
and "" of one that is, whatever bytes it is given. What only a newer release can read is no fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast

import msgspec

from claude_comm.envelope import decode, decode_array, is_array
from claude_comm.errors import ClaudeCommError, NewerFormat
from claude_comm.names import TOPIC_PREFIX, Keys, Stream, is_name
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation import pairs
from claude_comm.ops import door
from claude_comm.pipeline import session as sessions
from claude_comm.progress.fold import UnreadableEntry, fold
from claude_comm.registry import audit, changes, contracts, releases
from claude_comm.security import sealed, signed_fields
from claude_comm.security.keyring import SignedKeyring

KeyType: TypeAlias = Literal["string", "list", "set", "zset", "hash", "stream"]
# What a field of a hash, the id of an entry, or a member is called; and its value, its fields, or its score.
Fault: TypeAlias = Callable[[Keys, bytes, Any], str]

# As large as may be: how large an envelope may be, its reader decides.
_ANY_SIZE = 1 << 40
_JOB_STATES = frozenset(b"queued deferred scheduled created started finished failed stopped canceled".split())
_TASK_FIELDS = re.compile(rb"record|end|durable|(?:question|sent|answer):.*", re.DOTALL)
_JOB_ID = re.compile(rb"[A-Za-z0-9_-]{1,200}")
_RQ_KEY = re.compile(rb"rq:[\x21-\x7e]{1,200}")
_SEEN = re.compile(rb"([0-9]{1,4}):(.*)", re.DOTALL)
_PART = re.compile(rb".+/[0-9]{1,9}", re.DOTALL)
# How many items of a list have come.
_COUNTER = re.compile(rb".+/n", re.DOTALL)


class Kind(msgspec.Struct, frozen=True):
    """The keys that are spelled so, with words in capitals for names."""

    name: str
    spelling: str
    type: KeyType
    fault: Fault


def kind_of(keys: Keys, key: str) -> Kind | None:
    """The kind of a key; None for one that is none of ours."""
    return next((kind for kind in KINDS if _spelled(kind.spelling, keys.namespace).fullmatch(key)), None)


@lru_cache(maxsize=1024)
def _spelled(spelling: str, namespace: str) -> re.Pattern[str]:
    words = {"ns": re.escape(namespace), "NAMESPACE": re.escape(namespace)}
    return re.compile(
        re.sub(r"\bns\b|[A-Z]{2,}", lambda word: words.get(word[0], "[^{}]+"), re.escape(spelling)), re.DOTALL
    )


def _in_stream(kind: Literal["inbox", "topic", "events"]) -> Fault:
    def fault(_keys: Keys, id_: bytes, fields: Mapping[bytes, bytes]) -> str:
        facts = fold(Stream("", kind, ""), id_.decode(), fields, max_bytes=_ANY_SIZE)
        return next((fact.reason for fact in facts if isinstance(fact, UnreadableEntry)), "")

    return fault


def _later(_keys: Keys, member: bytes, due: object) -> str:
    head, _, body = member.partition(b":")
    if door.number(head) is None:
        return "it does not begin with the number of its attempts"
    return _envelope(body) or _moment(due)


def _envelope(text: bytes) -> str:
    try:
        decode(sealed.split(text)[0], max_bytes=_ANY_SIZE)
    except NewerFormat:
        return ""
    except ClaudeCommError as error:
        return str(error)
    return ""


def _envelopes(body: bytes) -> str:
    try:
        found = decode_array(body, max_bytes=_ANY_SIZE)
    except ClaudeCommError as error:
        return str(error)
    wrong = (each for each in found if isinstance(each, ClaudeCommError) and not isinstance(each, NewerFormat))
    return next(map(str, wrong), "")


def _moment(score: object) -> str:
    return "" if door.moment(score) is not None else "its score is no moment in milliseconds"


def _dead(_keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    return "" if b"reason" in fields else "the entry has no field `reason`"


def _seen(_keys: Keys, member: bytes, at: object) -> str:
    match = _SEEN.fullmatch(member)
    sound = match is not None and int(match[1]) < len(match[2].decode("utf-8", "replace"))
    return _moment(at) if sound else "it does not name a message by its source and id"


def _reply(_keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    if b"w" in fields:
        return ""
    if b"e" not in fields:
        return "the entry has no field `e`"
    return _envelopes(fields[b"e"]) if is_array(fields[b"e"]) else _envelope(fields[b"e"])


def _joined(_keys: Keys, field: bytes, value: bytes) -> str:
    sound = value == b"1" or (value[:1] in (b"v", b"s", b"f") and _PART.fullmatch(field))
    sound = sound or (value.isdigit() and _COUNTER.fullmatch(field))
    return "" if sound else "it is no part of an input"


def _stream_key(keys: Keys, member: bytes, _: object) -> str:
    return "" if keys.parse_stream(member) else "it is no stream of this namespace"


def _told(keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    named = fields.get(b"s", b"").split()
    return "" if named and all(map(keys.parse_stream, named)) else "it names no streams of this namespace"


def _record(_keys: Keys, module: bytes, text: bytes) -> str:
    if not is_name(door.name(module)):
        return "it is not the name of a module"
    return _refusal(lambda: releases.decode(door.name(module), signed_fields.plain(text)))


def _contract(_keys: Keys, digest: bytes, text: bytes) -> str:
    return _refusal(lambda: contracts.addressed("?", door.name(digest), text))


def _agreement(_keys: Keys, _id: bytes, text: bytes) -> str:
    return _refusal(lambda: agreements.decode(signed_fields.plain(text)))


def _session(_keys: Keys, _session: bytes, text: bytes) -> str:
    return _refusal(lambda: sessions.decode(signed_fields.plain(text)))


def _refusal(read: Callable[[], object]) -> str:
    try:
        read()
    except ClaudeCommError as error:
        return str(error)
    return ""


def _instance(_keys: Keys, member: bytes, at: object) -> str:
    names = door.name(member).split("/")
    return _moment(at) if len(names) == 2 and all(map(is_name, names)) else "it is not `NAME/INSTANCE`"


def _awaited(_keys: Keys, member: bytes, at: object) -> str:
    module, _, awaited = door.name(member).partition("/")
    named = is_name(module) and is_name(awaited.removeprefix(TOPIC_PREFIX))
    return _moment(at) if named else "it is not `MODULE/AWAITED`"


def _number(_keys: Keys, name: bytes, text: bytes) -> str:
    return "" if is_name(door.name(name)) and door.number(text) is not None else "it is no count of a module"


def _limit(keys: Keys, name: bytes, text: bytes) -> str:
    return _number(keys, name, signed_fields.plain(text))


def _beat(_keys: Keys, _instance: bytes, text: bytes) -> str:
    return "" if door.number(signed_fields.plain(text)) is not None else "it is no signed moment"


def _running(_keys: Keys, member: bytes, text: bytes) -> str:
    return "" if releases.decode_running({door.name(member): text}) else "it does not say which release runs"


def _change(_keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    return "" if changes.decode(fields.get(b"c")) else "it is no change of the registry"


def _act(_keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    return "" if audit.decode(fields.get(b"a")) else "it is no act of an administrator"


def _projection(_keys: Keys, member: bytes, at: object) -> str:
    return _moment(at) if is_name(door.name(member)) else "it is not the name of a projection"


def _position(keys: Keys, stream: bytes, text: bytes) -> str:
    if not stream:
        return "" if door.number(signed_fields.plain(text)) is not None else "it is no moment"
    sound = keys.parse_stream(stream) and door.entry_id(signed_fields.plain(text).partition(b" ")[0])
    return "" if sound else "it is not the position in a stream"


def _task(_keys: Keys, field: bytes, _text: bytes) -> str:
    return "" if _TASK_FIELDS.fullmatch(field) else "a task has no such field"


def _keyring(_keys: Keys, _: bytes, text: bytes) -> str:
    try:
        msgspec.msgpack.decode(text, type=SignedKeyring)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return "it is no signed keyring"
    return ""


def _pair(_keys: Keys, field: bytes, text: bytes) -> str:
    known = pairs.decode(text)
    sound = known is not None and pairs.name_of(known.producer, known.consumer, known.type) == door.name(field)
    return "" if sound else "it is no agreement between two modules"


def _edge(_keys: Keys, member: bytes, _: object) -> str:
    ends = [end.removeprefix(TOPIC_PREFIX) for end in door.name(member).split("/")]
    sound = len(ends) in (1, 3) and all(map(is_name, ends))
    return "" if sound else "it is neither `PRODUCER/CONSUMER/TYPE` nor the name of a module that reads a topic"


def _ended(_keys: Keys, _id: bytes, fields: Mapping[bytes, bytes]) -> str:
    return "" if fields.get(b"status") in _JOB_STATES else "it does not say how a job ended"


def _job(_keys: Keys, field: bytes, value: bytes) -> str:
    return "" if field != b"status" or value in _JOB_STATES else "it is not the status of a job"


def _rq_worker(_keys: Keys, field: bytes, _: bytes) -> str:
    return "" if field.isascii() and field.replace(b"_", b"").isalnum() else "a worker has no such field"


def _rq_name(_keys: Keys, name: bytes, _: object) -> str:
    return "" if _RQ_KEY.fullmatch(name) else "it is no key of RQ"


def _rq_job(_keys: Keys, id_: bytes, _: object) -> str:
    return "" if _JOB_ID.fullmatch(id_) else "it is not the id of a job"


_ROWS: Sequence[tuple[str, str, str, Fault]] = (
    ("inbox", "ns:{m:NAME}:inbox", "stream", _in_stream("inbox")),
    ("topic", "ns:{t:TOPIC}:topic", "stream", _in_stream("topic")),
    ("later", "ns:{m:NAME}:later", "zset", _later),
    ("later", "ns:{t:TOPIC}:later", "zset", _later),
    ("dead", "ns:{m:NAME}:dead", "stream", _dead),
    ("events", "ns:{m:NAME}:events", "stream", _in_stream("events")),
    ("seen", "ns:{m:NAME}:seen", "zset", _seen),
    ("replies", "ns:{m:NAME}:replies:INSTANCE", "stream", _reply),
    ("join", "ns:{m:NAME}:join:SESSION", "hash", _joined),
    ("streams", "ns:{registry}:streams", "set", _stream_key),
    ("news", "ns:{registry}:news", "stream", _told),
    ("modules", "ns:{registry}:modules", "hash", _record),
    ("contracts", "ns:{registry}:contracts", "hash", _contract),
    ("instances", "ns:{registry}:instances", "zset", _instance),
    ("dropped", "ns:{registry}:dropped", "hash", _number),
    ("beats", "ns:{registry}:beats:NAME", "hash", _beat),
    ("awaited", "ns:{registry}:awaited", "zset", _awaited),
    ("running", "ns:{registry}:running:NAME", "hash", _running),
    ("changes", "ns:{registry}:changes", "stream", _change),
    ("history", "ns:{registry}:history:NAME", "stream", _change),
    ("audit", "ns:{registry}:audit", "stream", _act),
    ("workers", "ns:{registry}:workers", "zset", _instance),
    ("projections", "ns:{registry}:projections", "zset", _projection),
    ("stored", "ns:{registry}:stored:PROJECTION", "hash", _position),
    ("settled", "ns:{registry}:settled:PROJECTION", "hash", _position),
    ("limits", "ns:{registry}:limits", "hash", _limit),
    ("task", "ns:{registry}:task:ID", "hash", _task),
    ("agreements", "ns:{registry}:agreements", "hash", _agreement),
    ("keyring", "ns:{registry}:keyring", "string", _keyring),
    ("sessions", "ns:{registry}:sessions", "hash", _session),
    ("session-members", "ns:{registry}:session-members", "zset", _instance),
    ("pairs", "ns:{registry}:pairs", "hash", _pair),
    ("edges", "ns:{registry}:edges:NAME", "set", _edge),
    ("rq:done", "rq:done:NAMESPACE.negotiation:JOB", "stream", _ended),
    ("rq:job", "rq:job:JOB", "hash", _job),
    ("rq:worker", "rq:worker:INSTANCE", "hash", _rq_worker),
    ("rq:queues", "rq:queues", "set", _rq_name),
    ("rq:workers", "rq:workers", "set", _rq_name),
    ("rq:workers", "rq:workers:NAMESPACE.negotiation", "set", _rq_name),
    ("rq:queue", "rq:queue:NAMESPACE.negotiation", "list", _rq_job),
    *(
        (f"rq:{name}", f"rq:{name}:NAMESPACE.negotiation", "zset", _rq_job)
        for name in ("wip", "finished", "failed", "deferred", "ready", "scheduled", "canceled")
    ),
)
KINDS: tuple[Kind, ...] = tuple(
    Kind(name, spelling, cast(KeyType, type), fault) for name, spelling, type, fault in _ROWS
)
