"""Entries as the server answers them, whatever fields somebody wrote."""

from __future__ import annotations

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import consume
from claude_comm.ops.consume import Entry, Reader
from claude_comm.security import sealed
from claude_comm.security.signing import Seal
from claude_comm.transport.driver import Client

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
