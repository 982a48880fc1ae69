"""Which entries the projection may believe, where signatures are looked at.

Law: with `require` an entry that its source did not sign is no message and no event: it takes nobody's place, ends no
delivery and counts in no session; a row in `doubtful` says that it was there, and why it was refused. With `warn` it is
stored, and such a row says what there is to doubt.
"""

from __future__ import annotations

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
)
from claude_comm.runtime.trusted_keys import TrustedKeys
from claude_comm.security.checking import Claim, Claims, Doubted
from claude_comm.security.sealed import seal_of
from claude_comm.security.signing import Seal
from claude_comm.settings import Settings

_ENVELOPE, _SEAL, _PLACED = [b"e"], [b"e", b"k", b"s"], [b"e", b"k", b"s", b"p"]


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
        """The facts of a page as they are to be stored, one for each entry, and what is to be said of them besides."""
        claims = [_claim(entry, fact) for entry, fact in zip(entries, facts, strict=True)]
        spoken = [place for place, claim in enumerate(claims) if claim is not None]
        doubts = self._trusted.verifier.doubts(stream.key, Claims.of([claim for claim in claims if claim is not None]))
        doubtful = {
            place: _doubtful(facts[place], entries[place], doubt, refused=self.required)
            for place, doubt in ((spoken[number], doubt) for number, doubt in doubts.items())
            if not self._of_topic(stream, facts[place], claims[place], doubt)
        }
        if not self.required:
            return list(facts), list(doubtful.values())
        instead: dict[int, Fact] = {
            place: self._newer(stream, entries[place], fact)
            for place, fact in enumerate(facts)
            if isinstance(fact, Newer)
        }
        instead.update(doubtful)
        return [instead.get(place, fact) for place, fact in enumerate(facts)] if instead else list(facts), []

    def _of_topic(self, stream: Stream, fact: Fact, claim: Claim | None, doubt: Doubted) -> bool:
        """A message of a topic that failed comes back in the inbox of the module that reads the topic."""
        target = fact.envelope.target if isinstance(fact, SentEntry) else ""
        if claim is None or stream.kind != "inbox" or doubt.reason != "wrong signature":
            return False
        if not target.startswith(TOPIC_PREFIX):
            return False
        return self._trusted.verifier.judge(self._keys.stream(target), claim) is None

    def _newer(self, stream: Stream, entry: StreamEntry, fact: Newer) -> Fact:
        """Whom an entry names as its source cannot be read yet: whose key signed it is kept with it."""
        seal = _seal(entry[1])
        key = self._trusted.verifier.keyring.by_id().get(seal.key) if seal is not None else None
        source = key.holder if key is not None else ""
        claim = Claim(fact.body, seal, source, fact.entry_id)
        if doubt := self._trusted.verifier.judge(stream.key, claim):
            return _doubtful(fact, entry, doubt, refused=True)
        return msgspec.structs.replace(fact, holder=SERVICE if key is not None and key.role == "service" else source)


def _claim(entry: StreamEntry, fact: Fact) -> Claim | None:
    """What an entry says of who sent it; None where nobody can read it."""
    if not isinstance(fact, SentEntry | Happened):
        return None
    fields = entry[1]
    names = fields[::2]
    if names == _PLACED:
        seal: Seal | None = Seal(fields[3], fields[5], fields[7])
    elif names == _SEAL:
        seal = Seal(fields[3], fields[5])
    else:
        seal = _seal(fields) if names != _ENVELOPE else None
    return Claim(
        _named(fields)[b"e"] if fields[0] != b"e" else fields[1], seal, fact.envelope.source, entry[0].decode()
    )


def _seal(fields: Sequence[bytes]) -> Seal | None:
    return seal_of(_named(fields))


def _named(fields: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return dict(_pairs(fields))


def _pairs(fields: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(fields[::2], fields[1::2], strict=True)


def _doubtful(fact: Fact, entry: StreamEntry, doubt: Doubted, *, refused: bool) -> UntrustedEntry:
    envelope = fact.envelope if isinstance(fact, SentEntry | Happened) else None
    body = _named(entry[1]).get(b"e", b"")
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
