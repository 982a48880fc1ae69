"""Which of the messages that a consumer read may be believed, where signatures are looked at.

Law: with `require` nothing reaches a handler that its source did not sign for this stream with a key that counted when
the server stored it; it is buried with the reason, and nothing that it names (its source, its id, where it wants an
answer) is believed either. With `warn` it is handled, and said in the log once for each source and reason. The keyring
is never older than a few seconds when a decision is made with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import Identity
from claude_comm.effects import Operation
from claude_comm.runtime.trusted_keys import TrustedKeys
from claude_comm.security.checking import Claim, Claims, Doubted
from claude_comm.telemetry.logs import get_logger

# Different doubts that are said once each.
_MOST_WARNINGS = 1_000


class Trust:
    """The keyring as one consumer knows it. Raises ConfigurationError where the admin's public key is not known."""

    def __init__(self, identity: Identity, streams: Sequence[str]) -> None:
        self._identity, self._streams = identity, streams
        self._log = get_logger(identity.settings.log_level, module=identity.module)
        self._keys = TrustedKeys(identity.settings, self._log)
        self._said: set[tuple[str, str]] = set()

    def doubted(self, stream: str, deliveries: Sequence[Delivery]) -> Operation[list[tuple[Delivery, Doubted]]]:
        """Those of one stream, in its order, that are not to be handled, and why; with `warn` there are none. Raises
        TransportError."""
        yield from self._keys.renew()
        entries = [delivery.entry for delivery in deliveries]
        claims = Claims(
            [entry.body or b"" for entry in entries],
            [entry.head for entry in entries],
            [delivery.envelope.source for delivery in deliveries],
            lambda place: _claim(deliveries[place]),
        )
        doubts = [
            (deliveries[place], doubt)
            for place, doubt in self._keys.verifier.doubts(stream, claims).items()
            if not (doubt.reason == "wrong signature" and self._of_topic(stream, claims.at(place)))
        ]
        for delivery, doubt in doubts:
            self._say(delivery, doubt)
        return doubts if self._identity.settings.signing == "require" else []

    def _of_topic(self, stream: str, claim: Claim) -> bool:
        """A message of a topic that failed waits, and comes back, in the inbox of the module that reads the topic."""
        inbox, *topics = self._streams
        return stream == inbox and any(self._keys.verifier.judge(topic, claim) is None for topic in topics)

    def _say(self, delivery: Delivery, doubt: Doubted) -> None:
        known = delivery.envelope.source, doubt.reason
        if known in self._said or len(self._said) >= _MOST_WARNINGS:
            return
        self._said.add(known)
        source, key = delivery.envelope.source, doubt.key.hex()
        self._log.warning("message.doubted", source=source, id=delivery.envelope.id, key=key, why=doubt.sentence)


def _claim(delivery: Delivery) -> Claim:
    entry = delivery.entry
    return Claim(entry.body or b"", entry.seal, delivery.envelope.source, entry.id)
