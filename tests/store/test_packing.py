"""Packed ids: what was packed comes back, whatever it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.store.packing import id_range, pack_entry, pack_id, pack_ids, unpack_entry, unpack_id

UUID = "0199c82c-c00c-74ed-8000-0000000030ff"
ODD = ["", UUID.upper(), UUID.replace("-", ""), UUID[:-1] + "g", UUID.replace("-", " "), "-" * 36, UUID + "-", " " * 36]
ODD += ["0199c82cc-00c-74ed-8000-0000000030ff", "0199c82c-c00c-74ed-8000-00000000 0ff"]


def test_a_uuid_takes_sixteen_bytes() -> None:
    assert pack_id(UUID) == bytearray.fromhex(UUID.replace("-", ""))
    assert unpack_id(bytes(pack_id(UUID))) == UUID  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ODD)
def test_what_is_written_in_any_other_way_stays_text(text: str) -> None:
    assert pack_id(text) == text


@given(
    st.one_of(st.text(max_size=40), st.uuids().map(str), st.text("0123456789abcdefABCDEF- ", min_size=30, max_size=38))
)
def test_every_id_comes_back(text: str) -> None:
    assert unpack_id(pack_id(text)) == text


@given(st.lists(st.one_of(st.uuids().map(str), st.sampled_from([UUID, *ODD])), max_size=6))
def test_many_ids_are_packed_as_each_alone(texts: list[str]) -> None:
    assert pack_ids(texts) == [pack_id(text) for text in texts]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_every_entry_comes_back_and_later_ones_are_greater(millis: int, sequence: int) -> None:
    packed = pack_entry(f"{millis}-{sequence}")
    assert unpack_entry(packed) == f"{millis}-{sequence}"
    assert isinstance(packed, str) or packed < 2**63


@pytest.mark.parametrize("length", range(1, 37))
def test_every_start_of_an_id_is_a_range_that_holds_it(length: int) -> None:
    found = id_range(UUID[:length])
    assert found is not None
    assert found[0] <= bytes.fromhex(UUID.replace("-", "")) <= found[1]


@pytest.mark.parametrize("start", ["0199C", "0199c82cc", "0199-", "x", "0199c82c--", UUID + "0"])
def test_what_no_uuid_begins_with_has_no_range(start: str) -> None:
    assert id_range(start) is None
