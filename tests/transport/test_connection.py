"""One connection: what the kernel takes of it while the server is busy, and how long it waits."""

from __future__ import annotations

import socket
import struct
from contextlib import closing

import pytest

from claude_comm.transport.connection import Connection

_MIB = 1 << 20


def test_a_unix_socket_takes_more_than_by_default_so_that_the_next_part_is_packed_meanwhile() -> None:
    """How much of what is asked for is given, the machine's own limit says."""
    ours, asking = socket.socketpair(socket.AF_UNIX)
    with closing(asking), closing(Connection(ours)):
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MIB)
        assert _given(ours) == _given(asking)


def test_a_socket_over_the_network_is_left_to_the_kernel_which_sizes_it_by_itself() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        plain, ours = (socket.create_connection(listening.getsockname()) for _ in range(2))
        default = _given(plain)
        with closing(plain), closing(Connection(ours)):
            assert _given(ours) == default


@pytest.mark.parametrize(
    ("before", "within", "waits"),
    [(10.0, 10.25, 10.25), (10.25, 10.0, 10.25), (10.6, 10.0, 10.0), (10.0, 0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 0, 1e-6)],
)
def test_a_reply_is_waited_for_as_long_as_was_said_or_a_twentieth_longer(
    before: float, within: float, waits: float
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with closing(theirs), closing(Connection(ours)) as connection:
        for within_s in (before, within):
            connection.send(b"x", within_s)
        whole, micros = struct.unpack("@ll", ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
    # The kernel counts in ticks of its own, at most a hundredth of a second.
    assert waits <= whole + micros / 1e6 <= waits + 0.01


def _given(opened: socket.socket) -> int:
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
