"""The messages that are on their way through pipelines: in inboxes, pending, waiting for their time, and in joins.

Law: nothing is changed. What is acked, or belongs to no session that runs, is passed over, and so are bytes that
somebody else wrote. A message that moves while this reads may be met at two steps, or at none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.envelope import Envelope, decode
from claude_comm.errors import EnvelopeError, ServerRefused
from claude_comm.ids import position
from claude_comm.names import Keys
from claude_comm.ops import agreements as stored
from claude_comm.ops import door
from claude_comm.ops import sessions as records
from claude_comm.pipeline.in_flight import Pinned
from claude_comm.pipeline.route import PART_TYPE, input_of, read
from claude_comm.pipeline.session import RunSession

# Entries of one read, and members of one scan.
_PAGE = 500


class OnTheirWay(msgspec.Struct, frozen=True):
    """Messages of sessions, and the agreements that their routes name."""

    sessions: list[RunSession]
    messages: list[Envelope]
    pinned: dict[str, Pinned]


def through(keys: Keys, module: str, *, now_us: int, max_bytes: int) -> Operation[OnTheirWay]:
    """What is on its way in sessions whose pipelines have a step of that module."""
    everything = yield from records.everything(keys)
    running = [
        session
        for session in everything
        if session.state == "running" and not session.is_over(now_us) and _has_step(session, module)
    ]
    names = {session.session for session in running}
    modules = sorted({leg.target for session in running for leg in list(session.whole.legs.values())[1:-1]})
    envelopes: dict[tuple[str, str], Envelope] = {}
    joining: set[tuple[str, str]] = set()
    for session in running:
        waiting = yield from _in_joins(keys, session)
        joining |= {(session.session, envelope.id) for envelope in waiting}
        envelopes |= {(envelope.source, envelope.id): envelope for envelope in waiting}
    for name in modules:
        for envelope in (yield from _of_module(keys, name, max_bytes)):
            # A part that was kept stays in the inbox until its ack: it is on its way once.
            is_ours = envelope.session in names and bool(envelope.route)
            if is_ours and (envelope.session, _joined_as(envelope)) not in joining:
                envelopes[envelope.source, envelope.id] = envelope
    agreed = yield from pinned(keys, running)
    return OnTheirWay(running, list(envelopes.values()), agreed)


def _has_step(session: RunSession, module: str) -> bool:
    return any(leg.target == module for leg in list(session.whole.legs.values())[1:-1])


def _of_module(keys: Keys, module: str, max_bytes: int) -> Operation[list[Envelope]]:
    """What a module has not settled: what it was not handed, what is pending, and what waits for its time."""
    inbox = keys.inbox(module)
    bodies = yield from _unsettled(inbox, module)
    members: Any = yield Command(("ZRANGE", keys.later(module), 0, -1))
    bodies += [member.partition(b":")[2] for member in members]
    envelopes = []
    for body in bodies:
        try:
            envelopes.append(decode(body, max_bytes=max_bytes))
        except EnvelopeError:
            continue
    return envelopes


def _unsettled(stream: str, name: str) -> Operation[list[bytes]]:
    delivered, pending = yield from group(stream, name)
    first = min([*pending, delivered], key=position) if delivered else "0-0"
    bodies: list[bytes] = []
    after = first if first in pending or not delivered else f"({first}"
    while True:
        page = yield Command(("XRANGE", stream, after, "+", "COUNT", _PAGE))
        for id_, pairs in page:
            text = id_.decode()
            if text in pending or not delivered or position(text) > position(delivered):
                bodies.append(dict(zip(pairs[::2], pairs[1::2], strict=True)).get(b"e", b""))
        if len(page) < _PAGE:
            return bodies
        after = f"({page[-1][0].decode()}"


def group(stream: str, name: str) -> Operation[tuple[str, set[str]]]:
    """The last entry that the group was handed, empty where there is no group, and what is pending of those before."""
    try:
        groups = yield Command(("XINFO", "GROUPS", stream))
    except ServerRefused as refusal:
        if "no such key" not in str(refusal):
            raise
        return "", set()
    facts = next((group_facts for group_facts in groups if group_facts[b"name"] == name.encode()), None)
    if facts is None:
        return "", set()
    pending: set[str] = set()
    after = "-"
    while True:
        rows = yield Command(("XPENDING", stream, name, after, "+", _PAGE))
        pending |= {row[0].decode() for row in rows}
        if len(rows) < _PAGE:
            return facts[b"last-delivered-id"].decode(), pending
        after = f"({rows[-1][0].decode()}"


def _in_joins(keys: Keys, session: RunSession) -> Operation[list[Envelope]]:
    """The parts that wait for others: as the messages that they will be part of, without a payload."""
    waiting = []
    for leg in session.whole.legs.values():
        if not leg.joined:
            continue
        reply = yield Command(("HKEYS", keys.join(leg.target, session.session)))
        inputs = {text.rpartition("/")[0] for text in map(door.name, reply) if text.count("/") == 3}
        waiting += [_part(session, leg.step, leg.target, text) for text in sorted(inputs)]
    return waiting


def _part(session: RunSession, step: str, module: str, text: str) -> Envelope:
    return Envelope(
        id=_as_id(text),
        source=module,
        target=module,
        type=PART_TYPE,
        time=0,
        session=session.session,
        route=session.whole.to(step, part=0),
    )


def _as_id(text: str) -> str:
    return text.replace("/", "-")[:70]


def _joined_as(envelope: Envelope) -> str:
    """The id of what a part will be part of, as `_part` makes it; empty for what is no part."""
    try:
        here = read(envelope.route).here
    except EnvelopeError:
        return ""
    return _as_id(input_of(envelope, here)) if here.part >= 0 else ""


def pinned(keys: Keys, sessions: Sequence[RunSession]) -> Operation[dict[str, Pinned]]:
    """The agreements that the routes of these sessions name, by id."""
    wanted = {leg.agreement for session in sessions for leg in session.whole.legs.values() if leg.agreement}
    agreed = {}
    for id_ in sorted(wanted):
        agreement = yield from stored.find(keys, id_)
        if agreement is not None:
            agreed[id_] = Pinned(agreement.produced, agreement.accepted)
    return agreed
