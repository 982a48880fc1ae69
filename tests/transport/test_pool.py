"""What travels together in one write, and how it is written."""

from __future__ import annotations

import hiredis
import pytest

from claude_comm.effects import Post
from claude_comm.runtime.key_files import make_pair
from claude_comm.security.sealing import Sealing
from claude_comm.security.signing import MAX_MESSAGES
from claude_comm.transport.packing import APPEND_BYTES, APPEND_PART, flights, packed, parts

KIB = 1024
SIGNER = make_pair().signer()


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


@pytest.mark.parametrize(
    "sizes", [[1], [300] * (2 * APPEND_PART + 1), [50 * KIB] * 23, [1, APPEND_BYTES, *[1] * 200], [1] * 129]
)
def test_posts_that_are_sealed_on_their_way_are_written_as_those_that_were_sealed_before(sizes: list[int]) -> None:
    posts = [Post("s", b"%d-" % number + b"x" * size) for number, size in enumerate(sizes)]
    flown = list(flights(Sealing(SIGNER, "s", posts)))
    assert b"".join(together for together, _ in flown) == packed(list(Sealing(SIGNER, "s", posts)))
    assert sum(count for _, count in flown) == len(posts)
    assert all(1 <= count <= APPEND_PART for _, count in flown)
    assert flown[0][1] <= MAX_MESSAGES
    assert len(flown) <= 2 + len(posts) // APPEND_PART + 2 * sum(sizes) // APPEND_BYTES
