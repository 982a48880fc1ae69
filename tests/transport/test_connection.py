"""One connection: what the kernel takes of it while the server is busy."""

from __future__ import annotations

import socket
from contextlib import closing

from claude_comm.transport.connection import Connection
from claude_comm.transport.pool import APPEND_BYTES


def test_a_unix_socket_takes_more_than_by_default_so_that_the_next_part_is_packed_meanwhile() -> None:
    """How much that is, the machine's own limit says: a kernel gives twice what is asked for, up to it."""
    ours, plain = socket.socketpair(socket.AF_UNIX)
    with closing(plain), closing(Connection(ours)):
        given = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert given > plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert given > APPEND_BYTES


def test_a_socket_over_the_network_is_left_to_the_kernel_which_sizes_it_by_itself() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        plain, ours = (socket.create_connection(listening.getsockname()) for _ in range(2))
        default = plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        with closing(plain), closing(Connection(ours)):
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == default
