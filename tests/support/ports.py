"""Ports for servers that are started, killed and started again on the same one.

Law: a port that was given is given to nobody else: not by the kernel, which takes those of outgoing connections and of
`bind(0)` from a range of its own, and not by this process. Other processes begin elsewhere by chance.
"""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

_LOWEST = 10_240
_KERNELS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One on which nobody listens."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


def _candidates() -> Iterator[int]:
    """Those below the range of the kernel, each once in a round; any that is free where that leaves too few."""
    try:
        highest = int(_KERNELS_OWN.read_text(encoding="ascii").split()[0])
    except OSError:  # no such range is told
        highest = 0
    if highest - _LOWEST < 1_000:
        return itertools.repeat(0)
    first = random.SystemRandom().randrange(_LOWEST, highest)
    return itertools.cycle((*range(first, highest), *range(_LOWEST, first)))


_ports = _candidates()
