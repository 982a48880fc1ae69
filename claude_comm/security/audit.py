"""Auditing a stream: who signed each entry of it, and what of each signed batch is not there any more.

Law: nothing but the entries, the keyring and the admin's public key is needed, so that whoever has an export checks it
without a server. An entry that cannot be read names no source: it is one more that nobody vouches for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.errors import DecodeError, TooLarge
from claude_comm.names import TOPIC_PREFIX, Keys, Stream
from claude_comm.security.checking import Claim, Claims, EntryVerifier
from claude_comm.security.sealed import seal_of
from claude_comm.security.signing import Seal, messages_in

# Of each stream as many entries are named.
MOST_NAMED = 20
UNREADABLE = "it is no envelope."


class Doubtful(msgspec.Struct, frozen=True):
    """An entry that nobody vouches for: its id, whom it names as its source, the key that it names, and why."""

    entry: str
    source: str
    key: str
    reason: str


class StreamAudit(msgspec.Struct, frozen=True):
    """One stream: how many entries, how many of them are signed by their source, how many are not and why, the first of
    those, whose keys signed how many; and how many messages are not there that were signed together with others that
    are (trimmed, moved or deleted)."""

    stream: str
    entries: int
    signed: int
    doubts: dict[str, int]
    named: list[Doubtful]
    keys: dict[str, int]
    missing: int


class StreamAuditor:
    """Takes the entries of one stream in its order, a page at a time."""

    def __init__(self, keys: Keys, stream: Stream, verifier: EntryVerifier, max_bytes: int) -> None:
        self._keys, self._stream, self._verifier, self._max_bytes = keys, stream, verifier, max_bytes
        self._entries = self._signed = 0
        self._doubts: Counter[str] = Counter()
        self._by_key: Counter[str] = Counter()
        self._named: list[Doubtful] = []
        # By signature: how many leaves its tree has, and which of them were seen.
        self._batches: dict[bytes, tuple[int, set[int]]] = {}

    def add(self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        claims, places, targets = [], [], []
        for place, (id_, fields) in enumerate(entries):
            self._entries += 1
            try:
                envelope = envelopes.decode(fields.get(b"e", b""), max_bytes=self._max_bytes)
            except (DecodeError, TooLarge):
                self._doubt(id_, "", b"", UNREADABLE)
                continue
            claims.append(Claim(fields[b"e"], seal_of(fields), envelope.source, id_.decode()))
            places.append(place)
            targets.append(envelope.target)
        doubts = self._verifier.doubts(self._stream.key, Claims.of(claims))
        for number, claim in enumerate(claims):
            doubt = doubts.get(number)
            if doubt and not (doubt.reason == "wrong signature" and self._of_topic(targets[number], claim)):
                self._doubt(entries[places[number]][0], claim.source, doubt.key, doubt.sentence)
            elif claim.seal is not None:
                self._signed += 1
                self._by_key[claim.seal.key.hex()] += 1
                self._seen(claim.seal)

    def result(self) -> StreamAudit:
        missing = sum(_missing(size, leaves) for size, leaves in self._batches.values())
        return StreamAudit(
            self._stream.key, self._entries, self._signed, dict(self._doubts), self._named, dict(self._by_key), missing
        )

    def _of_topic(self, target: str, claim: Claim) -> bool:
        """A message of a topic that failed comes back in the inbox of the module that reads the topic."""
        if self._stream.kind != "inbox" or not target.startswith(TOPIC_PREFIX):
            return False
        return self._verifier.judge(self._keys.stream(target), claim) is None

    def _doubt(self, id_: bytes, source: str, key: bytes, reason: str) -> None:
        self._doubts[reason] += 1
        if len(self._named) < MOST_NAMED:
            self._named.append(Doubtful(id_.decode(), source, key.hex(), reason))

    def _seen(self, seal: Seal) -> None:
        if len(seal.place) > 1:
            leaf, last = seal.place[0], seal.place[1]
            self._batches.setdefault(seal.signature, (last + 1, set()))[1].add(leaf)


def _missing(size: int, leaves: set[int]) -> int:
    """How many messages of a tree were not seen: its last leaf is none, unless it was seen."""
    return (size if size - 1 in leaves else messages_in(size)) - len(leaves)
