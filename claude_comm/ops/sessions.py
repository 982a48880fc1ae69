"""The records of pipeline runs: on the control server, a hash by session.

Law: a record that cannot be read is none, and where signatures are demanded, one that no service signed: what is
removed for a run that is over is named by its record. What a session leaves behind is removed when it is over: its
collector, the parts that its joins still hold, and last its record, so that whoever is killed in between finds it
again.
"""

from __future__ import annotations

from claude_comm.effects import Believe, Command, Operation, Sign
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.join import TTL_MS
from claude_comm.ops.when_full import force
from claude_comm.pipeline import session as records
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.session import KEPT_US, RunSession, UnreadableSession


def store(keys: Keys, session: RunSession) -> Operation[None]:
    body = records.encode(session)
    signed = yield Sign(keys.sessions, ((session.session, body),))
    text = signed[0] if signed else body
    yield from force(Command(("HSET", keys.sessions, session.session, text), on="control"))


def find(keys: Keys, session: str) -> Operation[RunSession | None]:
    """Raises UnreadableSession."""
    text = yield Command(("HGET", keys.sessions, session), on="control")
    (believed,) = yield Believe(keys.sessions, ((session, text),))
    return None if believed is None else records.decode(believed)


def everything(keys: Keys) -> Operation[list[RunSession]]:
    """All that can be read and believed, the latest first."""
    reply = yield Command(("HGETALL", keys.sessions), on="control")
    stored = tuple((door.name(name), text) for name, text in door.fields(reply).items())
    readable = []
    for text in (yield Believe(keys.sessions, stored)):
        try:
            if text is not None:
                readable.append(records.decode(text))
        except UnreadableSession:
            continue
    return sorted(readable, key=lambda session: (-session.started_ms, session.session))


def complete(keys: Keys, session: RunSession) -> Operation[None]:
    """Notes the end of a run: its results stay for a day."""
    yield from store(keys, session)
    name = collector(session.session)
    for stream in (keys.inbox(name), keys.events(name)):
        yield Command(("PEXPIRE", stream, KEPT_US // 1000))


def is_gone(keys: Keys, session: RunSession) -> Operation[bool]:
    """Whether a run has ended and its results are not kept any more."""
    if session.state != "complete":
        return False
    return not (yield Command(("EXISTS", keys.inbox(collector(session.session)))))


def renew(keys: Keys, session: RunSession) -> Operation[None]:
    """Keeps the parts that wait in the joins of a session that lives."""
    for leg in session.whole.legs.values():
        if leg.joined:
            yield Command(("PEXPIRE", keys.join(leg.target, session.session), TTL_MS))


def remove(keys: Keys, session: RunSession) -> Operation[None]:
    """Removes what is left of a session that is over."""
    for leg in session.whole.legs.values():
        if leg.joined:
            yield Command(("UNLINK", keys.join(leg.target, session.session)))
    name = collector(session.session)
    for stream in (keys.inbox(name), keys.events(name)):
        yield Command(("UNLINK", stream))
        yield Command(("SREM", keys.streams, stream), on="control")
    yield Command(("HDEL", keys.sessions, session.session), on="control")
