"""How one consumer reads: the options of a `Consumer` and of a `Module`, checked."""

from __future__ import annotations

import msgspec

from claude_comm.client.arguments import DAY_S, check_count, check_seconds

DEFAULT_BATCH = 100
DEFAULT_LEASE_S = 60.0
# Far more than quick messages need, and little enough for any machine.
DEFAULT_PREFETCH_BYTES = 64 * 1024 * 1024
# How many messages an instance remembers when only `dedup_s` is given: more than are ever in flight.
_REMEMBERED = 10_000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a consumer reads. `prefetch` (0: no bound) and `prefetch_bytes` bound the deliveries in flight.

    Fewer acks than `gather` do not travel with a read that may wait: somebody else sends them soon (0: nobody does).
    An entry that was handed out more than `trusted` times comes alone: it may kill its consumer. Where messages are
    handled `in_order`, nothing new is read beside it: others that were pending may follow it.
    """

    batch: int
    lease_s: float
    prefetch: int = 0
    prefetch_bytes: int
    dedup: int = 0
    dedup_s: float = 0.0
    gather: int = 0
    trusted: int = 2
    in_order: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_count("batch", self.batch, least=1)
        check_seconds("lease_s", self.lease_s, least=0.001)
        check_count("prefetch", self.prefetch)
        check_count("prefetch_bytes", self.prefetch_bytes, least=1)
        check_count("dedup", self.dedup)
        check_seconds("dedup_s", self.dedup_s, most=365 * DAY_S)

    @property
    def remembered(self) -> int:
        """How many handled messages this instance remembers; 0 for none."""
        return self.dedup or (_REMEMBERED if self.dedup_s else 0)
