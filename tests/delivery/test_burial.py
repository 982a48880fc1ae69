"""Dead entries as values: read, chosen, grouped, judged again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.delivery.burial import (
    TRACEBACK_HEAD,
    TRACEBACK_TAIL,
    Burial,
    Where,
    bounded,
    brief,
    groups,
    pattern,
    read,
    where,
)
from claude_comm.delivery.recheck import Judge, Rejection
from claude_comm.envelope import encode, pack
from claude_comm.errors import ConfigurationError
from claude_comm.registry.contracts import contract
from tests.support.facts import envelope


def burial(number: int = 1, reason: str = "no", path: str = "", **fields: Any) -> Burial:
    return Burial(
        module="m", id=f"{number}-0", envelope=envelope("a", "m", **fields), size_bytes=1, reason=reason, path=path
    )


@given(st.dictionaries(st.sampled_from([b"e", b"reason", b"attempts", b"path", b"x"]), st.binary(max_size=30)))
def test_whatever_fields_a_dead_entry_has_it_becomes_a_burial(fields: dict[bytes, bytes]) -> None:
    found = read("m", "5-1", fields, max_bytes=1_000)
    assert (found.module, found.buried_ms) == ("m", 5)


def test_a_dead_entry_is_read_with_its_message() -> None:
    sent = envelope("a", "m", data={"n": 1})
    fields = {b"e": encode(sent), b"reason": b"why", b"path": b"$.n", b"attempts": b"3", b"schema_path": b"/p"}
    found = read("m", "5-1", fields, max_bytes=1_000)
    assert (found.envelope, found.reason, found.path, found.attempts, found.schema_path) == (
        sent,
        "why",
        "$.n",
        3,
        "/p",
    )


def test_reasons_that_differ_in_numbers_and_ids_are_one_group_with_the_latest_as_example() -> None:
    made = [burial(n, f"failed 3 times, last with KeyError: {n}", type=("x", "y")[n % 2]) for n in range(1, 6)]
    first, second = groups([*made, burial(9, "other", "$.n")])
    assert (first.count, first.first_ms, first.last_ms, first.example) == (5, 1, 5, "5-0")
    assert (first.reason, first.types) == ("failed # times, last with KeyError: #", ["x", "y"])
    assert (second.count, second.path) == (1, "$.n")
    assert pattern("of 01890a5d-ac96-774b-bcce-b302099a8057 at 0x7f3a") == "of # at #"


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ([], True),
        (["reason=KeyError"], True),
        (["reason=failed # times"], True),
        (["reason=failed 4 times"], False),
        (["type=order", "source=a"], True),
        (["type=orde"], False),
        (["path=$.n"], True),
        (["path=$"], False),
        (["source=b"], False),
        (["reason=KeyError", "source=b"], False),
    ],
)
def test_all_conditions_must_hold(conditions: list[str], matches: bool) -> None:
    assert where(conditions).matches(burial(1, "failed 3 times: KeyError", "$.n", type="order")) is matches


def test_bytes_that_are_no_message_have_neither_type_nor_source() -> None:
    foreign = Burial(module="m", id="1-0", envelope=None, size_bytes=2, reason="not an envelope")
    assert Where().matches(foreign)
    assert not Where(type="order").matches(foreign)
    assert not Where(source="a").matches(foreign)


@pytest.mark.parametrize("condition", ["", "reason", "reason=", "colour=red"])
def test_a_condition_of_another_form_is_refused(condition: str) -> None:
    with pytest.raises(ConfigurationError, match="reason=TEXT"):
        where([condition])
    with pytest.raises(ConfigurationError, match="twice"):
        where(["type=a", "type=b"])


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    assert bounded("short") == "short"
    cut = bounded("a" * TRACEBACK_HEAD + "x" * 100_000 + "z" * TRACEBACK_TAIL)
    assert cut.startswith("a" * TRACEBACK_HEAD + "\n[100000 characters left out]\n")
    assert cut.endswith("z" * TRACEBACK_TAIL)
    assert len(cut) < TRACEBACK_HEAD + TRACEBACK_TAIL + 50


def test_a_burial_is_judged_as_the_door_judges_a_message() -> None:
    judge = Judge(contract("m", accepts={"order": {"properties": {"n": {"type": "integer"}}}}), now_us=100)
    assert judge.refusal(burial(type="order", data={"n": 1})) is None
    assert judge.refusal(burial(type="other")) == Rejection("no handler for 'other' messages")
    assert judge.refusal(burial(type="order", expires=99)) == Rejection("expired")
    foreign = Burial(module="m", id="1-0", envelope=None, size_bytes=2, reason="")
    assert judge.refusal(foreign) == Rejection("not an envelope")
    refused = judge.refusal(burial(type="order", data={"n": "one"}))
    assert refused is not None
    assert refused.path == "$.n"


@pytest.mark.parametrize("text", [b"", b"-1", b"one", b"1" * 16])
def test_a_number_of_attempts_that_is_none_is_0(text: bytes) -> None:
    assert read("m", "5-1", {b"attempts": text}, max_bytes=9).attempts == 0
    assert Burial(module="m", id="5-1", envelope=None, size_bytes=0, reason="").attempts == 0


def test_a_payload_that_cannot_be_read_is_refused_at_its_root() -> None:
    judge = Judge(contract("m", accepts={"order": {}}), now_us=100)
    for data in (b"\xc1", pack(float("nan"))):
        torn = msgspec.structs.replace(envelope("a", "m", type="order"), data=msgspec.Raw(data))
        refused = judge.refusal(Burial(module="m", id="1-0", envelope=torn, size_bytes=2, reason=""))
        assert refused is not None
        assert refused.path == "$"


def test_the_conditions_are_said_in_words() -> None:
    assert Where().words == "all"
    assert where(["type=order", "reason=KeyError"]).words == "reason 'KeyError', type 'order'"


def test_a_text_is_cut_to_what_it_may_be_long_and_ends_in_an_ellipsis() -> None:
    assert [brief("abcd", 4), brief("abcde", 4)] == ["abcd", "abc…"]
    assert brief("a\udc80") == "a\\udc80"


def test_a_traceback_that_is_just_short_enough_stays_whole() -> None:
    whole = "x" * (TRACEBACK_HEAD + TRACEBACK_TAIL)
    assert bounded(whole) == whole
    assert "[1 characters left out]" in bounded(whole + "x")


def test_of_two_in_one_millisecond_the_later_is_the_example_and_earlier_ones_change_nothing() -> None:
    (group,) = groups([burial(5), burial(5), burial(7), burial(3)])
    assert (group.count, group.first_ms, group.last_ms, group.example) == (4, 3, 7, "7-0")
    tied = [msgspec.structs.replace(burial(5), id=f"5-{number}") for number in (0, 1)]
    assert groups(tied)[0].example == "5-1"
