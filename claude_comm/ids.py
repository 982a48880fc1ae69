"""Message identities: UUID version 7 (RFC 9562), from a time and entropy that the caller gives.

Law: pure. The id is made before the first attempt to send, so that a retry carries the same one.
"""

from __future__ import annotations

from functools import lru_cache

# Bytes of entropy that one id consumes: 62 random bits.
ENTROPY_BYTES = 8

# Bytes of entropy for each id of a batch, whose order takes the other bits.
BATCH_ENTROPY_BYTES = 6
# Ids of one moment, told apart by 14 bits.
MAX_BATCH = 1 << 14

# The last two groups, each after its dash, and what parts them from those of the next id; and where digits stand in it.
_TAIL = b"-0000-000000000000 "
_DIGITS = [place for place, character in enumerate(_TAIL) if character == ord("0")]

# A byte with the two leftmost bits that the fourth group has (RFC 9562, section 4.1), by the byte that it was.
_VARIANT = bytes(0b10 << 6 | byte & 0x3F for byte in range(256))


def uuid7(time_us: int, entropy: bytes) -> str:
    """The id for this moment (microseconds since the epoch).

    `rand_a` carries the fraction of the millisecond (RFC 9562, method 3), so ids sort by microsecond.
    """
    return moment(time_us) + tails(entropy)[0]


def tails(entropy: bytes) -> list[str]:
    """The random ends of ids, one for each `ENTROPY_BYTES`: written beforehand, they cost a publish little."""
    marked = bytearray(entropy)
    marked[::ENTROPY_BYTES] = marked[::ENTROPY_BYTES].translate(_VARIANT)
    digits = marked.hex().encode()
    # The first digit of all of them, then the second, and so on: a third of the time that one by one takes.
    text = bytearray(_TAIL * (len(entropy) // ENTROPY_BYTES))
    for number, place in enumerate(_DIGITS):
        text[place :: len(_TAIL)] = digits[number :: len(_DIGITS)]
    return text.decode().split()


def uuid7s(time_us: int, entropy: bytes, count: int) -> list[str]:
    """Up to `MAX_BATCH` ids of one moment, in ascending order; `BATCH_ENTROPY_BYTES` of entropy each.

    A counter takes the leftmost random bits (RFC 9562, section 6.2, method 1); 48 random bits remain.
    """
    start, random = moment(time_us), entropy.hex("-", BATCH_ENTROPY_BYTES).split("-")
    ids: list[str] = []
    for first in range(0, count, 256):
        group = f"{start}-{0x80 | first >> 8:02x}"
        parts = random[first : min(first + 256, count)]
        ids += [f"{group}{low}-{part}" for low, part in zip(_BYTES, parts, strict=False)]
    return ids


def moment(time_us: int) -> str:
    """The first three groups: 48 bits of milliseconds, the version, 12 bits of the millisecond's fraction."""
    millis, micros = divmod(time_us, 1000)
    return _millisecond(millis) + _FRACTIONS[micros]


_BYTES = [f"{number:02x}" for number in range(256)]
_FRACTIONS = [f"{(micros << 12) // 1000:03x}" for micros in range(1000)]


@lru_cache(maxsize=8)
def _millisecond(millis: int) -> str:
    """Up to and with the version; many ids are made in one millisecond."""
    return f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7"


def position(entry_id: str) -> tuple[int, int]:
    """The id of a stream's entry as numbers, to compare by: '10-1' is after '9-1'."""
    millis, _, sequence = entry_id.partition("-")
    return int(millis), int(sequence or 0)
