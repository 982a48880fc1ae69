"""What a client signs of what it writes into the registry, and what it believes of what it reads there.

Law: without signatures nothing is signed and everything is believed, and what others signed is read as if it were not.
With `require` a value counts only if one of those who may write it, or a service, signed it for its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from claude_comm.effects import Believe, Operation, SealEnvelope, Sign, Vouching
from claude_comm.security import sealed, signed_fields
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings

if TYPE_CHECKING:
    from claude_comm.runtime.trusted_keys import TrustedKeys

# The service whose key a person at the command line signs with.
OPERATOR = "operator"


class Notary:
    """The key and the keyring of one client."""

    def __init__(self, settings: Settings, signer: Signer | None) -> None:
        self._settings, self._signer = settings, signer
        self._trusted: TrustedKeys | None = None

    def perform(self, effect: Vouching) -> Operation[Any]:
        """The reply to such an effect. Raises TransportError, or ConfigurationError where the admin is not known."""
        if isinstance(effect, Believe):
            if self._settings.signing != "require":
                return plain(effect)
            return (yield from self._believed(effect))
        if self._signer is None:
            return unsigned(effect)
        if isinstance(effect, Sign):
            return signed_fields.seal(self._signer, effect.key, effect.values)
        return sealed.join(effect.body, self._signer.seal_lone(effect.stream, effect.body))

    def _believed(self, effect: Believe) -> Operation[list[bytes | None]]:
        trusted = self._keys()
        yield from trusted.renew()
        believed: list[bytes | None] = []
        for field, stored in effect.values:
            attested = None if stored is None else trusted.attested(effect.key, field.encode(), stored)
            may = attested is not None and (attested.key.role == "service" or attested.key.holder in effect.holders)
            believed.append(attested.value if attested is not None and may else None)
        return believed

    def _keys(self) -> TrustedKeys:
        if self._trusted is None:
            from claude_comm.runtime.trusted_keys import TrustedKeys  # PyNaCl is an extra

            self._trusted = TrustedKeys(self._settings)
        return self._trusted


def notary_of(settings: Settings, signer: Signer | None = None) -> Notary | None:
    """Who signs and checks for a client; None where nothing is signed. Without a signer it is the operator's key, where
    the home has one. Raises ConfigurationError."""
    if settings.signing == "off":
        return None
    if signer is None:
        from claude_comm.runtime.trusted_keys import service_signer  # PyNaCl is an extra

        signer = service_signer(settings, OPERATOR)
    return Notary(settings, signer)


def unsigned(effect: Sign | SealEnvelope) -> bytes | None:
    return effect.body if isinstance(effect, SealEnvelope) else None


def plain(effect: Believe) -> Sequence[bytes | None]:
    """The values alone, whoever signed them."""
    return [None if stored is None else signed_fields.plain(stored) for _, stored in effect.values]


def performed(effect: Vouching, notary: Notary | None) -> Operation[Any]:
    """The reply to such an effect, of a client with that notary or with none."""
    if notary is not None:
        return (yield from notary.perform(effect))
    return plain(effect) if isinstance(effect, Believe) else unsigned(effect)
