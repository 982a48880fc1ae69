"""Message identities: UUID version 7 (RFC 9562), from a time and entropy that the caller gives.

Law: pure. The id is made before the first attempt to send, so that a retry carries the same one.
"""

from __future__ import annotations

# Bytes of entropy that one id consumes: 62 random bits.
ENTROPY_BYTES = 8

_RANDOM_MASK = (1 << 62) - 1
_VARIANT = 0b10 << 62


def uuid7(time_us: int, entropy: bytes) -> str:
    """The id for this moment (microseconds since the epoch).

    `rand_a` carries the fraction of the millisecond (RFC 9562, method 3), so ids sort by microsecond.
    """
    millis, micros = divmod(time_us, 1000)
    tail = int.from_bytes(entropy[:ENTROPY_BYTES], "big") & _RANDOM_MASK | _VARIANT
    return (
        f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7{(micros << 12) // 1000:03x}"
        f"-{tail >> 48:04x}-{tail & 0xFFFFFFFFFFFF:012x}"
    )
