"""How often a consumer looks for what others left behind."""

from __future__ import annotations

from claude_comm.delivery.lease import CLAIM_EVERY_S, RENEW_FRACTION, claim_every_s


def test_a_short_lease_is_looked_after_as_often_as_it_is_renewed_and_a_long_one_each_second() -> None:
    assert claim_every_s(0.3) == 0.3 * RENEW_FRACTION
    assert claim_every_s(3600.0) == CLAIM_EVERY_S
    # Two renewals may be lost before another consumer may claim the delivery.
    assert 2 * RENEW_FRACTION < 1
