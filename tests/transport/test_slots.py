"""Slots, maps and redirections, as values."""

from __future__ import annotations

import pytest

from claude_comm.effects import Argument
from claude_comm.errors import ServerRefused
from claude_comm.transport.slots import (
    SLOTS,
    NodeAddress,
    Redirection,
    SlotMap,
    read_map,
    redirection,
    slot_of,
    slot_of_key,
)

A, B, C = NodeAddress("a", 1), NodeAddress("b", 2), NodeAddress("c", 3)


def test_the_slot_is_the_crc_of_the_hash_tag() -> None:
    """The values of the cluster specification."""
    assert slot_of_key("123456789") == 0x31C3
    assert slot_of_key("{user1000}.following") == slot_of_key("{user1000}.followers") == slot_of_key(b"user1000")
    assert slot_of_key("{}x") != slot_of_key("")


@pytest.mark.parametrize(
    "args",
    [
        ("XADD", "k", "*", "e", b""),
        ("xadd", b"k", "*"),
        ("XREAD", "COUNT", 5, "BLOCK", 3, "STREAMS", "k", "0-0"),
        ("XREADGROUP", "GROUP", "STREAMS", "STREAMS", "COUNT", 1, "STREAMS", "k", ">"),
        ("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"),
        ("XINFO", "STREAM", "k"),
        ("EVALSHA", "abc", 2, "k", "{k}2", "argument"),
        ("EVAL", "return 1", "1", "k"),
        ("SADD", "k", "a", "b"),
        ("MEMORY", "USAGE", "k"),
    ],
)
def test_the_key_of_each_command_that_we_send(args: tuple[Argument, ...]) -> None:
    assert slot_of(args) == slot_of_key("k")


@pytest.mark.parametrize("args", [("PING",), ("INFO", "server"), ("EVAL", "return 1", 0), ("CLUSTER", "SLOTS")])
def test_what_has_no_key_has_no_slot(args: tuple[Argument, ...]) -> None:
    assert slot_of(args) is None


def test_a_map_takes_missing_hosts_from_the_node_that_was_asked() -> None:
    """An empty host, null and `?` are what servers write for "the way you reached me"."""
    reply = [
        [0, 99, [b"10.0.0.1", 7000, b"id", []], [b"10.0.0.9", 7009, b"replica"]],
        [100, 199, [b"", 7001, b"id"]],
        [200, 299, [None, 7002, b"id"]],
        [300, 399, [b"?", 7003, b"id"]],
        [400, 400, [b"name.example", 7004, b"id"]],
    ]
    found = read_map(reply, NodeAddress("seed", 1))
    assert [found.master(slot) for slot in (0, 99, 100, 250, 399, 400)] == [
        ("10.0.0.1", 7000), ("10.0.0.1", 7000), ("seed", 7001), ("seed", 7002), ("seed", 7003), ("name.example", 7004),
    ]  # fmt: skip
    assert len(found.masters) == 5
    assert found.master(None) == found.master(5000) == found.masters[0]


def test_who_has_no_slots_yet_is_asked_itself() -> None:
    assert read_map([], A).masters == (A,)


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("3999 10.0.0.1:6381", "MOVED", Redirection("MOVED", 3999, NodeAddress("10.0.0.1", 6381))),
        ("MOVED 1 :6381", "MOVED", Redirection("MOVED", 1, NodeAddress("a", 6381))),
        ("1 ?:6381", "ASK", Redirection("ASK", 1, NodeAddress("a", 6381))),
        ("1 fe80::1:6381", "ASK", Redirection("ASK", 1, NodeAddress("fe80::1", 6381))),
        ("no such key", "ERR", None),
    ],
)
def test_a_redirection_is_read(text: str, code: str, told: Redirection | None) -> None:
    assert redirection(ServerRefused(text, code=code), A) == told


def test_an_address_is_written_so_that_it_can_be_read_again() -> None:
    assert (str(NodeAddress("fe80::1", 5)), str(B)) == ("[fe80::1]:5", "b:2")


def test_moved_slots_are_noted_without_asking() -> None:
    before = SlotMap([A] * SLOTS)
    after = before.with_moved([Redirection("MOVED", 7, C)])
    assert (before.master(7), after.master(7), after.master(8), after.masters) == (A, C, A, (A, C))
