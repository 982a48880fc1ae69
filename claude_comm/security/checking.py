"""Whether an entry may be believed: who sealed it, and whether that key speaks for its source.

Law: total. Every entry gets a `Trust`; the reason of one that is not trusted is one of the list, whatever its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from claude_comm.names import COLLECTOR
from claude_comm.security import sealed, signed_fields
from claude_comm.security.keyring import Key, Keyring
from claude_comm.security.signing import KEY_ID_BYTES, BatchVerifier, Run, Seal, Verify

# What ends the key of a stream of events.
_EVENTS = ":events"

T = TypeVar("T")

Doubt: TypeAlias = Literal["unsigned", "unknown key", "key not valid", "another's name", "wrong signature"]
SENTENCES: Mapping[Doubt, str] = {
    "unsigned": "it has no signature.",
    "unknown key": "its key is not in the keyring; `claude-comm module add` puts one there.",
    "key not valid": "its key was revoked, over, or not yet valid when it was stored.",
    "another's name": "its key is another module's, which may not send in this one's name.",
    "wrong signature": "its signature does not fit: it was altered, or copied from another stream.",
}


class Doubted(msgspec.Struct, frozen=True):
    """Why an entry is not trusted, and the key that it names."""

    reason: Doubt
    key: bytes = b""

    @property
    def sentence(self) -> str:
        return SENTENCES[self.reason]


UNSIGNED = Doubted("unsigned")


class Claim(msgspec.Struct, frozen=True, gc=False):
    """An envelope as it stands in a stream: its bytes, its seal, whom it names as its source, and the id of its entry,
    which says when it was stored."""

    body: bytes
    seal: Seal | None
    source: str
    entry: str

    @property
    def stored_ms(self) -> int:
        return stored_ms(self.entry)


class Claims(msgspec.Struct, frozen=True):
    """Many of one stream, in its order, column by column: to make one of each would cost as much as its hash. Of the
    `heads`, their seals, the places do not count: `at` gives one whole."""

    bodies: Sequence[bytes]
    heads: Sequence[Seal | None]
    sources: Sequence[str]
    at: Callable[[int], Claim]

    @staticmethod
    def of(claims: Sequence[Claim]) -> Claims:
        return Claims(
            [claim.body for claim in claims],
            [claim.seal for claim in claims],
            [claim.source for claim in claims],
            claims.__getitem__,
        )


def _picked(column: Sequence[T], runs: Sequence[slice]) -> Sequence[T]:
    if len(runs) == 1:
        return column[runs[0]]
    return [value for run in runs for value in column[run]]


def stored_ms(entry: str) -> int:
    """When an entry of that id was stored."""
    return int(entry.partition("-")[0])


class EntryVerifier:
    """Checks entries against a keyring, which may be replaced at any time."""

    def __init__(self, keyring: Keyring, verify: Verify) -> None:
        self._batches = BatchVerifier(verify)
        self.replace(keyring)

    def replace(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._keys: dict[bytes, Key] = keyring.by_id()

    def doubts(self, stream: str, claims: Claims) -> dict[int, Doubted]:
        """Which of these entries of one stream, in its order, are not trusted, by their place.

        Nearly all that is sent together is read together, also where others send meanwhile: a whole batch costs one
        look at its root.
        """
        batches = _by_signature(claims.heads)
        runs = [self._believable(stream, claims, slices) for slices in batches.values()]
        unproved = [
            place
            for slices, fits in zip(batches.values(), self._batches.all_fit(stream, runs), strict=True)
            if not fits
            for part in slices
            for place in range(part.start, part.stop)
        ]
        judged = ((place, self.judge(stream, claims.at(place))) for place in sorted(unproved))
        return {place: doubt for place, doubt in judged if doubt is not None}

    def _believable(self, stream: str, claims: Claims, slices: Sequence[slice]) -> Run | None:
        """Those in these parts, which have one signature, where its key speaks for all of them, if it is theirs."""
        first, last = claims.at(slices[0].start), claims.at(slices[-1].stop - 1)
        if first.seal is None or last.seal is None:
            return None
        key = self._keys.get(first.seal.key)
        # Ids rise, so the moments of all lie between those of the first and the last.
        if key is None or not (key.holds(first.stored_ms) and key.holds(last.stored_ms)):
            return None
        sources = _picked(claims.sources, slices)
        if not may_speak(key, stream, first.source) or sources.count(first.source) != len(sources):
            return None
        return Run(key.public, _picked(claims.bodies, slices), first.seal, last.seal)

    def judge(self, stream: str, claim: Claim) -> Doubted | None:
        """`doubt` of one claim."""
        return self.doubt(stream, claim.body, claim.seal, claim.source, claim.stored_ms)

    def doubt(self, stream: str, body: bytes, seal: Seal | None, source: str, stored_ms: int) -> Doubted | None:
        """Why an envelope of that source, stored in that stream at that moment, is not trusted; None: it is.

        See `may_speak` for whose key it has to be.
        """
        if seal is None:
            return UNSIGNED
        if not seal.whole:
            return Doubted("wrong signature", seal.key[:KEY_ID_BYTES])
        key = self._keys.get(seal.key)
        if key is None:
            return Doubted("unknown key", seal.key)
        if not key.holds(stored_ms):
            return Doubted("key not valid", seal.key)
        if not may_speak(key, stream, source):
            return Doubted("another's name", seal.key)
        if not self._batches.fits(key.public, stream, body, seal):
            return Doubted("wrong signature", seal.key)
        return None

    def attested(self, key: str, field: bytes, stored: bytes, now_ms: int) -> Attested | None:
        """What stands under the field of a hash, and whose key signed it; None where no key of now did."""
        value, seal = sealed.split(stored)
        signer = self._keys.get(seal.key) if seal is not None and seal.whole else None
        if seal is None or signer is None or not signer.holds(now_ms):
            return None
        if not self._batches.fits(signer.public, key, signed_fields.leaf(field, value), seal):
            return None
        return Attested(value, signer)


def _by_signature(heads: Sequence[Seal | None]) -> dict[bytes, list[slice]]:
    """Where those stand that have one signature: mostly one after another. Those without one, under none."""
    runs: dict[bytes, list[slice]] = {}
    start = 0
    # What was signed together mostly shares one object.
    for _, equal in groupby(heads, id):
        same = list(equal)
        slices = runs.setdefault(same[0].signature if same[0] is not None else b"", [])
        if slices and slices[-1].stop == start:
            slices[-1] = slice(slices[-1].start, start + len(same))
        else:
            slices.append(slice(start, start + len(same)))
        start += len(same)
    return runs


class Attested(NamedTuple):
    """A value that was signed for its place, and with which key."""

    value: bytes
    key: Key


def may_speak(key: Key, stream: str, source: str) -> bool:
    """Whether that key may send in the name of that source. A service may only in what it records about a module, on
    that module's events stream, and for a collector, whom nobody runs as."""
    if key.holder == source:
        return True
    return key.role == "service" and (stream.endswith(_EVENTS) or source.startswith(COLLECTOR))
