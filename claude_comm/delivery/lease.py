"""How long a delivery belongs to who was handed it, and how often that may happen.

Law: pure. Whoever holds a delivery renews its lease while it works; whoever died does not, and another claims it.
"""

from __future__ import annotations

# A third of the lease: two renewals may be lost before another consumer may claim the delivery.
RENEW_FRACTION = 1 / 3
# A delivery that was handed to handlers this often and never ended has killed its consumers.
MAX_DELIVERIES = 5
# How often a consumer looks for what others left behind. A scan of what is pending costs the server some 50 µs;
# the wait after a planned stop is at most this, after a kill the lease and this.
CLAIM_EVERY_S = 1.0


def claim_every_s(lease_s: float) -> float:
    """How long to wait between two looks (seconds)."""
    return min(lease_s * RENEW_FRACTION, CLAIM_EVERY_S)
