"""How much to read at once, and how far ahead.

Law: pure; moments are handed in. What is read is held until it is handled: too little leaves handlers waiting, too
much fills the memory and keeps messages from other instances that have time for them.
"""

from __future__ import annotations

# While the handlers get through what was read within this time, more may be read ahead (seconds).
HORIZON_S = 0.5
# How fast a reader grows from the first careful read to its full size.
GROWTH = 4
# What handlers get through within this time is no more than a small part of the horizon, however they may slow down.
_AT_ONCE_S = HORIZON_S / 100
# What stands around an entry's body in a reply: its id, its field, the protocol's lengths.
_AROUND_BYTES = 48
# What a socket holds while nobody reads from it: a Unix socket on Linux takes about 130 KB.
_SOCKET_BYTES = 96 * 1024
# What a server writes of a reply before it looks at other commands, or nearly: in one turn that is 64 KB
# (NET_MAX_WRITES_PER_EVENT in server.h of Redis and Valkey). The rest waits for as long as the next command takes.
_TURN_BYTES = 60 * 1024
# How many entries make a round trip worth while, and how long a reply needs to be for that at most. A reader that signs
# pays for a signature of its own after each round trip, and for trees that are cut: 500 at a time rather than 280 take
# 4 to 6 % less of its processor.
ENOUGH, ENOUGH_SIGNED, _LONG_REPLY_BYTES = 64, 500, 1024 * 1024
# How slowly a large entry is forgotten, read by read.
_FADE = 0.75


class Sizes:
    """How many entries fit into `most_bytes`, judged by those that came lately.

    Before the first read that is a sample of what waits; where nothing does, every entry is taken to be of
    `largest_bytes`, the largest that may be sent. A sudden change from small to large entries may exceed the bound by
    what one read brings. `enough` entries make a read ahead worth while.
    """

    def __init__(self, most_bytes: int, largest_bytes: int, *, enough: int = ENOUGH) -> None:
        self.most_bytes, self._enough = most_bytes, enough
        self.peak = 0
        self._largest: float = largest_bytes
        self._grown = max(most_bytes // largest_bytes, 1)

    def expect(self, sample_bytes: int) -> None:
        """What waits is about so large."""
        if sample_bytes and not self.peak:
            self._largest = sample_bytes
            self._grown = max(int(self.most_bytes // sample_bytes), 1)

    def fitting(self, held_bytes: int) -> int:
        """How many more may be asked for; 1 at least while nothing is held, however large it may be."""
        fitting = int((self.most_bytes - held_bytes) // self._largest)
        return min(max(fitting, 0 if held_bytes else 1), self._grown)

    def ahead(self) -> int:
        """How many to ask for in a read whose reply nobody takes in at once.

        As many as the server writes in one turn where that is `abreast`, else as many as a socket holds: the rest of a
        longer reply is written only when it is asked for, and meanwhile the server stands still. Of larger entries that
        would be so few that the round trips cost more than that.
        """
        if self.abreast():
            return self._within(_TURN_BYTES)
        return max(self._within(_SOCKET_BYTES), min(self._enough, self._within(_LONG_REPLY_BYTES)))

    def abreast(self) -> bool:
        """Whether replies of enough entries are written in one turn each: then one may be asked for before the other
        was taken in."""
        return self._within(_TURN_BYTES) >= self._enough

    def _within(self, some_bytes: int) -> int:
        """How many entries are no more than so many bytes as the server sends them; 1 at least."""
        return max(int(some_bytes // (self._largest + _AROUND_BYTES)), 1)

    def saw(self, largest_bytes: int, count: int) -> None:
        """A read brought `count` entries, the largest of this size."""
        faded = self._largest * _FADE if self.peak else 0
        self._largest = max(largest_bytes, faded, 1)
        self.peak = max(self.peak, largest_bytes)
        self._grown = max(self._grown, count * GROWTH)


class SignedFlights:
    """Where messages that were signed together end, as far as the entries that were read tell it.

    Whoever has all of them checks them in half the time, so a read should end where they do: those to come are taken to
    be sent together as those before them were.
    """

    def __init__(self) -> None:
        self._left, self._size = 0, 1

    def saw(self, left: int, size: int) -> None:
        """Behind the last entry that was read, so many are left of the `size` that it was signed with."""
        self._left, self._size = left, size

    def ending(self, count: int, requested: int) -> int:
        """How many to ask for, `count` at most, when so many are requested already: so that they end with a flight,
        where that leaves a whole one."""
        over = (requested + count - self._left) % self._size
        return count - over if count - over >= self._size else count


class Ahead:
    """How many deliveries may be held: up to `most`, and no more than the handlers get through within a while."""

    def __init__(self, most: int, hands: int) -> None:
        self._least = min(most, 2 * hands)
        self._most = most
        self.limit = min(most, max(4 * hands, 16))
        self._read_at: float | None = None

    def read(self, now_s: float) -> None:
        """A read brought as many as it asked for."""
        if self._read_at is None:
            self._read_at = now_s

    def ran_low(self, now_s: float) -> None:
        """Most of it is handled."""
        if self._read_at is None:
            return
        took_s, self._read_at = now_s - self._read_at, None
        if took_s < HORIZON_S:
            at_once = self.limit * _AT_ONCE_S / took_s if took_s > 0 else self._most
            self.limit = min(max(self.limit * GROWTH, int(at_once)), self._most)
        elif took_s > 2 * HORIZON_S:
            self.limit = max(self.limit // 2, self._least)
