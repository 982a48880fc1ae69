"""Entries as the server answers them, whatever fields somebody wrote."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import consume
from claude_comm.ops.consume import Entry, Reader
from claude_comm.security import sealed
from claude_comm.security.signing import Seal
from claude_comm.transport.driver import Client

READER = Reader("inbox", "m", "i")
REFUSAL = ServerRefused("UNBLOCKED the stream key no longer exists", code="UNBLOCKED")

SEALED = ("e", "b", "k", "K", "s", "S", "p", "P")
WITH_SEAL = Seal(b"K", b"S", b"P")


@pytest.mark.parametrize(
    ("fields", "body", "seal"),
    [
        (SEALED, b"b", WITH_SEAL),
        (("e", "b", "k", "K", "s", "S"), b"b", Seal(b"K", b"S")),
        (("k", "K", "s", "S", "p", "P", "e", "b"), b"b", WITH_SEAL),
        (("e", "b", "a", "1", "x", "y", "z", ""), b"b", None),
        (("e", "b", "k", "K", "s", "S", "q", "P"), b"b", Seal(b"K", b"S")),
        (("e", "b"), b"b", None),
        (("x", "y"), None, None),
        ((*SEALED, "a", "2"), b"b", WITH_SEAL),
    ],
)
def test_each_entry_comes_whatever_stands_beside_it(
    fields: tuple[str, ...], body: bytes | None, seal: Seal | None, client: Client, keys: Keys
) -> None:
    inbox = keys.inbox("m")
    client.run(consume.make_group(inbox, "m", "0"))
    for words in (SEALED, fields, SEALED):
        client.data.one(Command(("XADD", inbox, "*", *words)))
    entries: list[Entry] = client.run(consume.read(Reader(inbox, "m", "i"), count=9, block_ms=0))
    assert [(entry.body, entry.seal) for entry in entries] == [(b"b", WITH_SEAL), (body, seal), (b"b", WITH_SEAL)]


def test_what_was_signed_together_shares_its_seal_and_keeps_its_own_place(client: Client, keys: Keys) -> None:
    inbox = keys.inbox("m")
    client.run(consume.make_group(inbox, "m", "0"))
    seals = [Seal(b"K", b"S", b"0"), Seal(b"K", b"S", b"1"), Seal(b"L", b"S", b"2"), Seal(b"L", b"T", b"3")]
    for seal in (*seals, seals[0]):
        client.data.one(Command(("XADD", inbox, "*", "e", "b", *sealed.seal_fields(seal))))
    entries: list[Entry] = client.run(consume.read(Reader(inbox, "m", "i"), count=9, block_ms=0))
    # Another key under the same signature is another seal: what is retried or buried carries what it came with.
    assert [entry.seal for entry in entries] == [*seals, seals[0]]
    assert entries[0].head is entries[1].head


def test_the_rows_of_a_reply_end_with_its_reading(keys: Keys) -> None:
    inbox = keys.inbox("m")
    reading = consume.read(Reader(inbox, "m", "i"), count=9, block_ms=0)
    next(reading)
    # As the server answers; who performs the operation holds it until the deliveries are there.
    reply = {inbox.encode(): [[b"1-0", [b"e", b"b"]]]}
    with pytest.raises(StopIteration) as ended:
        reading.send(reply)
    assert [entry.body for entry in ended.value.value] == [b"b"]
    assert not reply


def _entry(number: int) -> list[object]:
    return [f"1-{number}".encode(), [b"e", b"%d" % number]]


def _reply(*numbers: int) -> dict[bytes, object] | None:
    return {b"inbox": [_entry(number) for number in numbers]} if numbers else None


def _fresh(reply: Any) -> Any:
    """Whoever reads a reply empties it."""
    return dict(reply) if isinstance(reply, dict) else reply


def _ended(reading: Operation[Any], replies: list[Any]) -> Any:
    with pytest.raises(StopIteration) as ended:
        reading.send(replies)
    return ended.value.value


def test_a_wait_for_several_is_followed_by_a_read_of_the_others() -> None:
    reading = consume.read(READER, count=9, block_ms=100, several=True)
    effect = next(reading)
    assert isinstance(effect, Batch)
    assert effect.wait_ms == 100
    assert [command.args[4:8] for command in effect.commands] == [
        ("COUNT", 5, "BLOCK", 100),
        ("COUNT", 4, "STREAMS", "inbox"),
    ]
    assert [entry.body for entry in _ended(reading, [_reply(1), _reply(2, 3)])] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("count", "block_ms", "several"), [(9, 0, True), (1, 100, True), (9, 100, False)], ids=["no wait", "one", "alone"]
)
def test_else_a_read_is_one_command(count: int, block_ms: int, several: bool) -> None:
    assert isinstance(next(consume.read(READER, count=count, block_ms=block_ms, several=several)), Command)


@pytest.mark.parametrize(
    ("replies", "bodies"),
    [
        ([_reply(1), REFUSAL], [b"1"]),
        ([REFUSAL, _reply(1)], [b"1"]),
        ([REFUSAL, None], None),
        ([None, REFUSAL], None),
        ([None, None], []),
    ],
    ids=["second", "first", "first, nothing else", "second, nothing else", "nothing"],
)
def test_what_one_of_two_reads_brought_is_kept_where_the_other_is_refused(
    replies: list[Any], bodies: list[bytes] | None
) -> None:
    """It is pending for this consumer, and the next read meets the refusal again."""
    settlement = consume.Settlement(ids=["0-1"], events_stream="events", events=[])
    both = consume.settle_and_read(READER, settlement, count=9, block_ms=100, several=True)
    assert len(next(both).commands) == 3  # type: ignore[union-attr]
    outcome, entries = _ended(both, [1, *map(_fresh, replies)])
    assert outcome.refused is None
    if bodies is None:
        assert entries is REFUSAL
    else:
        assert [entry.body for entry in entries] == bodies
    reading = consume.read(READER, count=9, block_ms=100, several=True)
    next(reading)
    if bodies is not None:
        assert [entry.body for entry in _ended(reading, [*map(_fresh, replies)])] == bodies
    else:
        with pytest.raises(ServerRefused):
            reading.send(replies)
