"""What travels together in one write, and how it is written."""

from __future__ import annotations

import hiredis
import pytest

from claude_comm.effects import Post
from claude_comm.transport.pool import APPEND_BYTES, APPEND_PART, packed, parts

KIB = 1024


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [1],
        [300] * (2 * APPEND_PART + 1),
        [50 * KIB] * 23,
        [APPEND_BYTES + 1] * 3,
        [1, APPEND_BYTES, 1, 1, 2 * APPEND_BYTES],
        [100 * KIB, *[1] * 600],
        [1, *[APPEND_BYTES - 100] * 3],
    ],
)
def test_posts_go_in_order_in_parts_of_a_bounded_size(sizes: list[int]) -> None:
    posts = [Post("s", b"%d-" % number + b"x" * size) for number, size in enumerate(sizes)]
    together = list(parts(posts))
    assert [post for part in together for post in part] == posts
    for part in together:
        assert 1 <= len(part) <= APPEND_PART
        assert sum(len(post.body) for post in part) <= APPEND_BYTES or len(part) == 1
    assert len(together) <= 2 + len(posts) // APPEND_PART + 2 * sum(sizes) // APPEND_BYTES


def test_posts_are_packed_as_commands_whatever_their_streams_and_sizes() -> None:
    posts = [Post(stream, b"x" * size) for stream in ("s", "é", "s") for size in (0, 1, 1, 70_000, 1)]
    commands = [("XADD", post.stream, "*", "e", post.body) for post in posts]
    assert packed(posts) == b"".join(hiredis.pack_command(command) for command in commands)  # type: ignore[misc,arg-type]
