"""Stored agreements, by the digest of the question, and the pairs that they belong to.

Law: on the control server. What stands under an id is checked to answer the question of that id; what does not, cannot
be read, or was decided under other rules counts as nothing, and is decided anew and written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from claude_comm.effects import Batch, Believe, Command, Operation, Script, Sign
from claude_comm.errors import TransportError
from claude_comm.names import Keys
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation import pairs as pairs_
from claude_comm.negotiation.agreement import Agreement, Question, UnreadableAgreement
from claude_comm.negotiation.pairs import Pair, RecordedOutcome, name_of, turn_of
from claude_comm.ops import changes, door
from claude_comm.ops.changes import RegistryBusy
from claude_comm.registry import changes as announced
from claude_comm.registry.changes import RegistryChange
from claude_comm.security import signed_fields

# Entries a scan asks the server for at a time.
_PAGE = 200
# Turns of one pair that may come in between.
_ATTEMPTS = 20


class Everything(msgspec.Struct, frozen=True):
    """All stored agreements, the newest first, and the ids of those that cannot be read, each with the reason."""

    agreements: list[Agreement]
    unreadable: dict[str, str]


def find(keys: Keys, id_: str) -> Operation[Agreement | None]:
    """None also for one that cannot be read, or that answers another question: it is decided anew."""
    text = yield Command(("HGET", keys.agreements, id_), on="control")
    return (yield from _believed(keys, id_, text))


def several(keys: Keys, ids: Sequence[str]) -> Operation[dict[str, Agreement]]:
    """Those of these agreements that can be read and believed, by id."""
    known_: dict[str, Agreement] = {}
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        texts: list[bytes | None] = yield Command(("HMGET", keys.agreements, *page), on="control")
        for id_, text in zip(page, texts, strict=True):
            agreement = yield from _believed(keys, id_, text)
            if agreement is not None:
                known_[id_] = agreement
    return known_


def known(keys: Keys, question: Question) -> Operation[tuple[Agreement | None, Pair | None]]:
    """The stored answer to a question, and its pair, in one exchange."""
    id_ = agreements.digest(question)
    name = name_of(question.producer, question.consumer, question.type)
    text, pair = yield Batch(
        (
            Command(("HGET", keys.agreements, id_), on="control"),
            Command(("HGET", keys.pairs, name), on="control"),
        ),
        on="control",
    )
    if isinstance(text, TransportError):
        raise text
    return (yield from _believed(keys, id_, text)), pairs_.decode(pair if isinstance(pair, bytes) else None)


def store(
    keys: Keys,
    agreement: Agreement,
    *,
    at_us: int = 0,
    because: str = "",
    is_new: bool = True,
    as_round: Literal["", "offer", "binding"] = "",
) -> Operation[None]:
    """Stores an agreement, as the current turn of its pair from now on; or as a round of the pair's dialogue, which is
    the current turn where it is binding. Raises RegistryBusy."""
    turn = turn_of(agreement, at_us=at_us or agreement.decided_us, because=because)
    name = name_of(agreement.producer, agreement.consumer, agreement.type)
    change = RegistryChange(
        kind="agreed" if agreement.fits else "refused",
        module=agreement.consumer,
        version=agreement.consumer_version,
        digest=agreement.consumer_digest,
        at_us=turn.at_us,
        by=agreement.decided_by,
        partner=agreement.producer,
        type=agreement.type,
        agreement=agreement.id,
        note=because,
    )
    of_pair = (keys.edges(agreement.producer), keys.edges(agreement.consumer))
    touched = (keys.agreements, keys.pairs, *of_pair, keys.changes, keys.history(agreement.consumer))
    for _ in range(_ATTEMPTS):
        text: bytes | None = yield Command(("HGET", keys.pairs, name), on="control")
        pair = pairs_.decode(text) or Pair(
            producer=agreement.producer, consumer=agreement.consumer, type=agreement.type
        )
        limits = (changes.MAX_CHANGES, changes.MAX_HISTORY, announced.encode(change))
        body = (yield from _signed(keys, agreement)) if is_new else b""
        after = pair.with_round(turn, is_binding=as_round == "binding") if as_round else pair.with_turn(turn)
        words = (agreement.id, body, name, text or b"", pairs_.encode(after), *limits)
        if (yield Script("agree", touched, words, on="control")):
            return
    raise RegistryBusy(name)


def pair(keys: Keys, producer: str, consumer: str, type: str) -> Operation[Pair | None]:
    """What a producer and a consumer agree on, now and before."""
    return pairs_.decode((yield Command(("HGET", keys.pairs, name_of(producer, consumer, type)), on="control")))


def of_turn(keys: Keys, pair: Pair, turn: RecordedOutcome) -> Operation[Agreement | None]:
    """The agreement that a turn names; None also where it is about others: nobody signs a pair."""
    agreement = yield from find(keys, turn.agreement)
    if agreement is None or name_of(agreement.producer, agreement.consumer, agreement.type) != pair.name:
        return None
    return agreement


def pairs(keys: Keys, target: str) -> Operation[list[Pair]]:
    """The pairs that a module, or `topic:NAME`, is part of."""
    members: set[bytes] = yield Command(("SMEMBERS", keys.edges(target)), on="control")
    names = sorted(members)
    decoded: list[Pair | None] = []
    for start in range(0, len(names), _PAGE):
        texts = yield Command(("HMGET", keys.pairs, *names[start : start + _PAGE]), on="control")
        decoded += map(pairs_.decode, texts)
    return [known for known in decoded if known is not None and target in (known.producer, known.consumer)]


def all_pairs(keys: Keys) -> Operation[list[Pair]]:
    """Every pair of the namespace."""
    texts = yield Command(("HGETALL", keys.pairs), on="control")
    decoded = map(pairs_.decode, door.fields(texts).values())
    return [known for known in decoded if known is not None]


def everything(keys: Keys) -> Operation[Everything]:
    readable: dict[str, Agreement] = {}
    unreadable: dict[str, str] = {}
    cursor = b"0"
    while True:
        cursor, flat = yield Command(("HSCAN", keys.agreements, cursor, "COUNT", _PAGE), on="control")
        for id_, text in zip(flat[::2], flat[1::2], strict=True):
            try:
                agreement = agreements.decode(signed_fields.plain(text))
            except UnreadableAgreement as error:
                unreadable[door.name(id_)] = str(error)
                continue
            if (yield from _vouched(keys, agreement, text)):
                readable[agreement.id] = agreement
            else:
                unreadable[agreement.id] = "neither of its modules, nor a service, signed it"
        if cursor == b"0":
            newest_first = sorted(readable.values(), key=lambda agreement: (-agreement.decided_us, agreement.id))
            return Everything(newest_first, unreadable)


def _believed(keys: Keys, id_: str, text: bytes | None) -> Operation[Agreement | None]:
    if text is None:
        return None
    try:
        agreement = agreements.decode(signed_fields.plain(text))
    except UnreadableAgreement:
        return None
    if not agreements.answers(agreement, id_):
        return None
    return agreement if (yield from _vouched(keys, agreement, text)) else None


def _vouched(keys: Keys, agreement: Agreement, text: bytes) -> Operation[bool]:
    """Whether one of the two modules signed it, or a service; anybody may have where nobody demands a signature."""
    (believed,) = yield Believe(keys.agreements, ((agreement.id, text),), (agreement.producer, agreement.consumer))
    return believed is not None


def _signed(keys: Keys, agreement: Agreement) -> Operation[bytes]:
    body = agreements.encode(agreement)
    signed = yield Sign(keys.agreements, ((agreement.id, body),))
    return signed[0] if signed else body


def is_current(pair: Pair | None, agreement: Agreement) -> bool:
    """Whether the pair goes by this agreement already."""
    turn: RecordedOutcome = turn_of(agreement, at_us=0)
    return pair is not None and pair.holds(turn)
