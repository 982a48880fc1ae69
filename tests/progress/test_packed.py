"""Deliveries packed into an event come out as they went in; what nobody packed is refused."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.errors import DecodeError
from claude_comm.progress.events import Handled, Settled, decode_event
from claude_comm.progress.packed import Group, PackedDeliveries, Row, pack, unpack

_ID = "01a2218f-197b-7883-8000-dc7a510dd2ab"
_moments = st.integers(0, 2**63 - 1)
_rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a.long-name"]), st.uuids().map(str), _moments, _moments), max_size=30
)


@given(_rows)
def test_what_was_packed_comes_out_again(rows: list[Row]) -> None:
    done = pack(rows)
    assert done is not None
    assert sorted(unpack(done)) == sorted(rows)
    event = decode_event(msgspec.msgpack.encode(done))
    assert isinstance(event, Handled)
    assert sorted(event.deliveries, key=str) == sorted((Settled(*row) for row in rows), key=str)


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "x" * 36,
        _ID.upper(),
        _ID[:-1],
        f"{_ID} ",
        _ID.replace("a", "g"),
        _ID.replace("-", " "),
        f"-{_ID[:8]}{_ID[9:]}",
    ],
)
def test_an_id_that_is_no_uuid_as_we_write_it_is_not_packed(id_: str) -> None:
    """It would come out as another id, and its message would seem never handled."""
    assert pack([("a", str(uuid.uuid4()), 1, 2), ("a", id_, 1, 2)]) is None


def test_two_ids_of_other_lengths_are_not_taken_for_two_that_fit() -> None:
    assert pack([("a", _ID[:-1], 1, 2), ("a", f"{_ID[-1]}{_ID}", 1, 2)]) is None


def test_many_take_less_than_half_of_what_they_take_written_out() -> None:
    sent_us = 1_790_000_000_000_000
    rows = [("extractor", str(uuid.uuid4()), sent_us + n, sent_us + n + 900) for n in range(100)]
    packed = msgspec.msgpack.encode(pack(rows))
    written_out = msgspec.msgpack.encode(Handled([Settled(*row) for row in rows]))
    assert len(packed) < len(written_out) / 2
    assert len(packed) < 25 * len(rows)


@pytest.mark.parametrize(
    "group",
    [
        Group("a", b"x" * 15, [1], [1]),
        Group("a", b"x" * 16, [1, 2], [1, 2]),
        Group("a", b"x" * 32, [1, 2], [1]),
        Group("a", b"x" * 16, [-1], [2]),
        Group("a", b"x" * 16, [1], [-2]),
        Group("a", b"x" * 32, [2**62, 2**62], [0, 0]),
        Group("a", b"x" * 16, [1], [2**63 - 1]),
    ],
)
def test_what_nobody_packed_is_unreadable(group: Group) -> None:
    with pytest.raises(DecodeError):
        decode_event(msgspec.msgpack.encode(PackedDeliveries([group])))
