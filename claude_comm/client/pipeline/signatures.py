"""Signatures of a run: its inputs are sent in the name of a collector whom nobody runs as, so a service signs them.

Law: with `require` only what its source signed counts: no result and no event that somebody forged ends an input.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm import envelope as envelopes
from claude_comm.effects import Operation, Post
from claude_comm.errors import ConfigurationError, EnvelopeError
from claude_comm.ops.follow import Entries
from claude_comm.runtime.notary import OPERATOR
from claude_comm.runtime.trusted_keys import TrustedKeys, service_signer
from claude_comm.security import sealed
from claude_comm.security.checking import Claim, Claims
from claude_comm.settings import Settings


class Signatures:
    """The operator's key, and the keyring. Raises ConfigurationError where signatures are demanded, and no key is."""

    def __init__(self, settings: Settings) -> None:
        self._required = settings.signing == "require"
        self.signer = service_signer(settings, OPERATOR)
        if self.signer is None and self._required:
            raise ConfigurationError(
                "the inputs of a pipeline are signed by the operator, who has no key in this home: "
                f"run `claude-comm module add {OPERATOR} --service`."
            )
        self._keys = TrustedKeys(settings) if self._required else None

    def sealed(self, posts: Sequence[Post]) -> list[Post]:
        """Posts that are sent together."""
        if self.signer is None:
            return list(posts)
        seals = self.signer.seal_all([(post.stream, post.body) for post in posts])
        return [Post(post.stream, sealed.join(post.body, seal)) for post, seal in zip(posts, seals, strict=True)]

    def trusted(self, stream: str, entries: Entries, max_bytes: int) -> Operation[Entries]:
        """Those of these entries that count. Raises TransportError."""
        if self._keys is None:
            return entries
        yield from self._keys.renew()
        readable, claims = [], []
        for entry in entries:
            named = dict(zip(entry[1][::2], entry[1][1::2], strict=True))
            try:
                source = envelopes.decode(named.get(b"e", b""), max_bytes=max_bytes).source
            except EnvelopeError:
                continue
            claims.append(Claim(named[b"e"], sealed.seal_of(named), source, entry[0].decode()))
            readable.append(entry)
        doubts = self._keys.verifier.doubts(stream, Claims.of(claims))
        return [entry for place, entry in enumerate(readable) if place not in doubts]
