"""The positions of projections, as far as this process believes them: who trims, or forgets its copies, asks here.

Law: with `require` a position counts only if a service's key signed it for its place; what somebody else wrote there
stands for nothing that is stored, so nothing goes because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from claude_comm.delivery.retention import Projection
from claude_comm.effects import Operation
from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.ops.projection_progress import Believe, Stored
from claude_comm.settings import Settings

if TYPE_CHECKING:
    from claude_comm.runtime.trusted_keys import TrustedKeys


class BelievedPositions:
    """Positions with the keyring that they are checked against; with none they are all believed."""

    def __init__(self, trusted: TrustedKeys | None = None) -> None:
        self._trusted = trusted

    def awaited(self, keys: Keys, wait_s: float, streams: Sequence[str] | None = None) -> Operation[list[Projection]]:
        """As `projection_progress.awaited`. Raises TransportError."""
        believe = yield from self._renewed()
        return (yield from projection_progress.awaited(keys, wait_s, streams, believe=believe))

    def reported(self, keys: Keys, *, since_ms: int) -> Operation[list[Stored]]:
        """As `projection_progress.reported`. Raises TransportError."""
        believe = yield from self._renewed()
        return (yield from projection_progress.reported(keys, since_ms=since_ms, believe=believe))

    def _renewed(self) -> Operation[Believe | None]:
        if self._trusted is None:
            return None
        yield from self._trusted.renew()
        return self._trusted.of_service


def believed_positions(settings: Settings) -> BelievedPositions:
    """Raises ConfigurationError where the admin's public key is not known."""
    if settings.signing != "require":
        return BelievedPositions()
    from claude_comm.runtime.trusted_keys import TrustedKeys  # PyNaCl is an extra

    return BelievedPositions(TrustedKeys(settings))
