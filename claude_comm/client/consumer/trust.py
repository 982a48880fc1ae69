"""Which of the messages that a consumer read may be believed, where signatures are looked at.

Law: with `require` nothing reaches a handler that its source did not sign for this stream with a key that counted when
the server stored it; it is buried with the reason, and nothing that it names (its source, its id, where it wants an
answer) is believed either. With `warn` it is handled, and said in the log once for each source and reason. The keyring
is never older than a few seconds when a decision is made with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from claude_comm.client import keyholders
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import Identity
from claude_comm.effects import Operation
from claude_comm.ops import keyring as ops
from claude_comm.runtime import key_files
from claude_comm.security.checking import Doubted, EntryVerifier
from claude_comm.security.keyring import Keyring, KeyringRefused
from claude_comm.telemetry.logs import get_logger

# How old the keyring may be that a decision rests on (seconds): a revocation takes effect within it.
RENEW_S = 2.0
# Different doubts that are said once each.
_MOST_WARNINGS = 1_000


class Trust:
    """The keyring as one consumer knows it. Raises ConfigurationError where the admin's public key is not known."""

    def __init__(self, identity: Identity, streams: Sequence[str]) -> None:
        self._identity, self._streams = identity, streams
        self._admin = keyholders.admin_public(identity.settings)
        self._verifier = EntryVerifier(Keyring(namespace=identity.settings.namespace), key_files.verify)
        self._renew_at, self._mark = 0.0, b""
        self._said: set[tuple[str, str]] = set()
        self._log = get_logger(identity.settings.log_level, module=identity.module)

    def doubted(self, deliveries: Sequence[Delivery]) -> Operation[list[tuple[Delivery, Doubted]]]:
        """Those that are not to be handled, and why; with `warn` there are none. Raises TransportError."""
        if time.monotonic() >= self._renew_at:
            yield from self._renew()
        doubts = []
        for batch in _batches(deliveries):
            if not self._believed(batch):
                doubts += [(delivery, doubt) for delivery in batch if (doubt := self._doubt(delivery))]
        for delivery, doubt in doubts:
            self._say(delivery, doubt)
        return doubts if self._identity.settings.signing == "require" else []

    def _believed(self, batch: Sequence[Delivery]) -> bool:
        """Whether one look shows that all of a batch may be believed."""
        first, last = batch[0], batch[-1]
        source = first.envelope.source
        seals = [delivery.entry.seal for delivery in batch if delivery.entry.seal is not None]
        if not seals or any(delivery.envelope.source != source for delivery in batch):
            return False
        # Ids rise, so the moments of all lie between those of the first and the last.
        begun_ms, ended_ms = (int(delivery.entry.id.partition("-")[0]) for delivery in (first, last))
        bodies = [delivery.entry.body or b"" for delivery in batch]
        return self._verifier.holds(seals[0].key, begun_ms) and self._verifier.believed(
            first.entry.stream, bodies, seals, source, ended_ms
        )

    def _doubt(self, delivery: Delivery) -> Doubted | None:
        """A message of a topic that failed waits, and comes back, in the inbox of the module that reads the topic."""
        entry, source = delivery.entry, delivery.envelope.source
        stored_ms = int(entry.id.partition("-")[0])
        first = None
        for stream in (entry.stream, *(other for other in self._streams if other != entry.stream)):
            doubt = self._verifier.doubt(stream, entry.body or b"", entry.seal, source, stored_ms)
            if doubt is None:
                return None
            first = first or doubt
            if doubt.reason != "wrong signature" or entry.stream != self._streams[0]:
                break
        return first

    def _renew(self) -> Operation[None]:
        """Reads the keyring where it is another than before."""
        keys, settings = self._identity.keys, self._identity.settings
        mark = yield from ops.mark(keys)
        if mark != self._mark or not mark:
            stored = yield from ops.read(keys)
            try:
                self._verifier.replace(keyholders.newest(stored, settings, self._admin))
            except KeyringRefused as refusal:
                self._log.error("keyring.refused", why=str(refusal))
        self._mark = mark
        self._renew_at = time.monotonic() + RENEW_S

    def _say(self, delivery: Delivery, doubt: Doubted) -> None:
        known = delivery.envelope.source, doubt.reason
        if known in self._said or len(self._said) >= _MOST_WARNINGS:
            return
        self._said.add(known)
        source, key = delivery.envelope.source, doubt.key.hex()
        self._log.warning("message.doubted", source=source, id=delivery.envelope.id, key=key, why=doubt.sentence)


def _batches(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Those that one signature covers, as they stand together; each that has none by itself."""
    start, signature = 0, None
    for at, delivery in enumerate(deliveries):
        own = delivery.entry.seal.signature if delivery.entry.seal is not None else None
        if at > start and (own is None or own != signature):
            yield deliveries[start:at]
            start = at
        signature = own
    if start < len(deliveries):
        yield deliveries[start:]
