"""Which entries the projection may believe, where signatures are looked at.

Law: with `require` an entry that its source did not sign is no message and no event: it takes nobody's place, ends no
delivery and counts in no session; a row in `doubtful` says that it was there, and why it was refused. With `warn` it is
stored, and such a row says what there is to doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from claude_comm.effects import Operation
from claude_comm.names import TOPIC_PREFIX, Keys, Stream
from claude_comm.progress.fold import (
    PREFIX_BYTES,
    SERVICE,
    Fact,
    Happened,
    Newer,
    SentEntry,
    StreamEntry,
    UntrustedEntry,
    bodies,
)
from claude_comm.runtime.trusted_keys import TrustedKeys
from claude_comm.security.checking import Claim, Claims, Doubted
from claude_comm.security.sealed import seal_of
from claude_comm.security.signing import Seal
from claude_comm.settings import Settings


class PageTrust:
    """The keyring as one projection knows it. Raises ConfigurationError where the admin's public key is not known."""

    def __init__(self, settings: Settings) -> None:
        self.required = settings.signing == "require"
        self._keys, self._trusted = Keys(settings.namespace), TrustedKeys(settings)

    def renew(self) -> Operation[None]:
        """To be run before each page. Raises TransportError."""
        yield from self._trusted.renew()

    def weighed(
        self, stream: Stream, entries: Sequence[StreamEntry], facts: Sequence[Fact]
    ) -> tuple[list[Fact], list[UntrustedEntry]]:
        """The facts of a page as they are to be stored, and what is to be said of them besides."""
        rows = entries if len(facts) == len(entries) else _repeated(entries, facts)
        spoken = {place: fact for place, fact in enumerate(facts) if isinstance(fact, SentEntry | Happened)}
        groups = _by_claim(spoken) if rows is not entries else [(place,) for place in spoken]
        claims = _claims([rows[group[0]][1] for group in groups], [spoken[group[0]] for group in groups])
        doubts = {
            place: doubt
            for number, doubt in self._trusted.verifier.doubts(stream.key, claims).items()
            if not self._of_topic(stream, facts[groups[number][0]], claims.at(number), doubt)
            for place in groups[number]
        }
        own = _bodies(entries, facts) if doubts else ()
        doubtful = {
            place: _doubtful(facts[place], own[place], doubt, refused=self.required) for place, doubt in doubts.items()
        }
        if not self.required:
            return list(facts), list(doubtful.values())
        instead: dict[int, Fact] = {
            place: self._newer(stream, rows[place], fact) for place, fact in enumerate(facts) if isinstance(fact, Newer)
        }
        instead.update(doubtful)
        return [instead.get(place, fact) for place, fact in enumerate(facts)] if instead else list(facts), []

    def _of_topic(self, stream: Stream, fact: Fact, claim: Claim, doubt: Doubted) -> bool:
        """A message of a topic that failed comes back in the inbox of the module that reads the topic."""
        target = fact.envelope.target if isinstance(fact, SentEntry) else ""
        if stream.kind != "inbox" or doubt.reason != "wrong signature":
            return False
        if not target.startswith(TOPIC_PREFIX):
            return False
        return self._trusted.verifier.judge(self._keys.stream(target), claim) is None

    def _newer(self, stream: Stream, entry: StreamEntry, fact: Newer) -> Fact:
        """Whom an entry names as its source cannot be read yet: whose key signed it is kept with it."""
        seal = _seal(entry[1])
        key = self._trusted.verifier.keyring.by_id().get(seal.key) if seal is not None else None
        source = key.holder if key is not None else ""
        claim = Claim(_named(entry[1])[b"e"], seal, source, fact.entry_id)
        if doubt := self._trusted.verifier.judge(stream.key, claim):
            return _doubtful(fact, fact.body, doubt, refused=True)
        return msgspec.structs.replace(fact, holder=SERVICE if key is not None and key.role == "service" else source)


def _repeated(entries: Sequence[StreamEntry], facts: Sequence[Fact]) -> Sequence[StreamEntry]:
    """For each fact the entry that it is of: of one entry there may be several."""
    by_id = {id_.decode(): (id_, fields) for id_, fields in entries}
    return [by_id[fact.entry_id] for fact in facts]


def _by_claim(spoken: Mapping[int, SentEntry | Happened]) -> list[tuple[int, ...]]:
    """The places of the facts that are believed together, or not: those of one entry that name one source."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, fact in spoken.items():
        groups.setdefault((fact.entry_id, fact.envelope.source), []).append(place)
    return [tuple(group) for group in groups.values()]


def _bodies(entries: Sequence[StreamEntry], facts: Sequence[Fact]) -> Sequence[bytes]:
    """For each fact its envelope."""
    of_entry = Counter(fact.entry_id for fact in facts)
    return [body for entry in entries for body in bodies(entry, of_entry[entry[0].decode()])]


def _claims(rows: Sequence[Sequence[bytes]], facts: Sequence[SentEntry | Happened]) -> Claims:
    """What entries say of who sent them, by their fields and the facts in them."""
    heads, places = _placed(rows) or _singly(rows)
    bodies = [fields[1] if fields[0] == b"e" else _named(fields)[b"e"] for fields in rows]

    def at(number: int) -> Claim:
        head, fact = heads[number], facts[number]
        seal = None if head is None else Seal(head.key, head.signature, places[number])
        return Claim(bodies[number], seal, fact.envelope.source, fact.entry_id)

    return Claims(bodies, heads, [fact.envelope.source for fact in facts], at)


def _placed(rows: Sequence[Sequence[bytes]]) -> tuple[Sequence[Seal], Sequence[bytes]] | None:
    """Seals and places, where all were signed together with others: one seal for all of a batch. None for others."""
    heads: list[Seal] = []
    places: list[bytes] = []
    head = Seal(b"", b"")
    try:
        for e, _, k, key, s, signature, p, place in rows:
            if not (e == b"e" and k == b"k" and s == b"s" and p == b"p"):
                return None
            if signature != head.signature or key != head.key:
                head = Seal(key, signature)
            heads.append(head)
            places.append(place)
    except ValueError:  # one of them has more or fewer fields
        return None
    return heads, places


def _singly(rows: Sequence[Sequence[bytes]]) -> tuple[Sequence[Seal | None], Sequence[bytes]]:
    """The same, whatever fields they have."""
    seals = [_seal(fields) for fields in rows]
    return seals, [seal.place if seal is not None else b"" for seal in seals]


def _seal(fields: Sequence[bytes]) -> Seal | None:
    return seal_of(_named(fields))


def _named(fields: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return dict(_pairs(fields))


def _pairs(fields: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(fields[::2], fields[1::2], strict=True)


def _doubtful(fact: Fact, body: bytes, doubt: Doubted, *, refused: bool) -> UntrustedEntry:
    envelope = fact.envelope if isinstance(fact, SentEntry | Happened) else None
    return UntrustedEntry(
        stream=fact.stream,
        entry_id=fact.entry_id,
        message_id=envelope.id if envelope else "",
        source=envelope.source if envelope else "",
        reason=doubt.sentence,
        key=doubt.key.hex(),
        refused=refused,
        size_bytes=len(body),
        prefix=body[:PREFIX_BYTES],
    )
