"""Ids of one batch: of their moment, in order, and each its own."""

from __future__ import annotations

import os
import uuid

import pytest

from claude_comm.ids import BATCH_ENTROPY_BYTES, MAX_BATCH, moment, tails, uuid7, uuid7s

NOW_US = 1_790_000_000_123_456


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 10_000, MAX_BATCH])
def test_the_ids_of_a_batch_are_ascending_uuids_of_one_moment(count: int) -> None:
    ids = uuid7s(NOW_US, os.urandom(count * BATCH_ENTROPY_BYTES), count)
    assert len(set(ids)) == count
    assert ids == sorted(ids)
    for id_ in ids:
        parsed = uuid.UUID(id_)
        assert (str(parsed), parsed.version, parsed.variant) == (id_, 7, uuid.RFC_4122)
        assert id_.startswith(moment(NOW_US))


def test_their_random_bits_are_the_entropy() -> None:
    (first, second) = uuid7s(NOW_US, b"\x01\x02\x03\x04\x05\x06\xff\xfe\xfd\xfc\xfb\xfa", 2)
    assert (first[-17:], second[-17:]) == ("8000-010203040506", "8001-fffefdfcfbfa")


def test_ends_that_are_written_together_have_each_its_own_entropy_in_order() -> None:
    assert tails(bytes.fromhex("0123456789abcdefffeeddccbbaa99880000000000000001")) == [
        "-8123-456789abcdef",
        "-bfee-ddccbbaa9988",
        "-8000-000000000001",
    ]
    assert tails(b"") == []
    parsed = uuid.UUID(uuid7(NOW_US, os.urandom(8)))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
