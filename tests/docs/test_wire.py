"""docs/wire.md and docs/vectors.json: what other languages are told is what is on the wire."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from claude_comm.envelope import DEFAULT_TYPE, MSGPACK, Envelope, decode
from claude_comm.runtime.key_files import verify
from claude_comm.security.signing import BatchVerifier, Run, Seal
from tests.support.homes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "wire.md").read_text(encoding="utf-8")
VECTORS: list[dict[str, Any]] = json.loads((REPOSITORY / "docs" / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_bytes_of_a_vector_are_its_fields(vector: dict[str, Any]) -> None:
    envelope = decode(base64.b64decode(vector["bytes"]))
    given = {"v": 1, "type": DEFAULT_TYPE, "content_type": MSGPACK, **vector["fields"]}
    for name in Envelope.__struct_fields__:
        if name != "data":
            value = getattr(envelope, name)
            expected = given.get(name, {str: "", int: 0, dict: {}, tuple: ()}[type(value)])
            assert value == (tuple(expected) if name == "route" else expected), name
    assert envelope.payload() == vector["data"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_foreign_writer_with_another_order_is_read_the_same(vector: dict[str, Any]) -> None:
    fields = {**vector["fields"], "data": vector["data"], "unknown": 1}
    foreign = msgspec.msgpack.encode(dict(reversed(fields.items())))
    assert decode(foreign) == decode(base64.b64decode(vector["bytes"]))


def test_every_field_of_the_envelope_is_on_the_page_and_in_a_vector() -> None:
    named = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert set(Envelope.__struct_fields__) <= named
    used = {name for vector in VECTORS for name in vector["fields"]}
    assert set(Envelope.__struct_fields__) - used <= {"v", "content_type", "data", "tracestate"}


def test_the_example_sends_the_first_vector() -> None:
    assert VECTORS[0]["bytes"] in PAGE


SEALS: dict[str, Any] = json.loads((REPOSITORY / "docs" / "seals.json").read_text(encoding="utf-8"))


def seals_of(tree: dict[str, Any]) -> Iterator[tuple[bytes, Seal]]:
    for message in tree["messages"]:
        fields = {name: base64.b64decode(text) for name, text in message.items()}
        yield fields["e"], Seal(fields["k"], fields["s"], fields.get("p", b""))


@pytest.mark.parametrize("tree", SEALS["trees"], ids=lambda tree: tree["name"])
def test_each_signed_message_of_the_vectors_is_believed_alone(tree: dict[str, Any]) -> None:
    public = base64.b64decode(SEALS["public"])
    for body, seal in seals_of(tree):
        assert BatchVerifier(verify).fits(public, SEALS["stream"], body, seal)
        assert not BatchVerifier(verify).fits(public, SEALS["stream"], body + b"x", seal)


def test_the_last_signature_of_the_vectors_covers_the_tree_before_it() -> None:
    looks: list[bytes] = []
    runs = []
    for tree in SEALS["trees"][2:]:
        pairs = list(seals_of(tree))
        bodies = [body for body, _ in pairs]
        runs.append(Run(base64.b64decode(SEALS["public"]), bodies, pairs[0][1], pairs[-1][1]))

    def counted(public: bytes, message: bytes, signature: bytes) -> bool:
        looks.append(signature)
        return verify(public, message, signature)

    assert BatchVerifier(counted).all_fit(SEALS["stream"], runs) == [True, True]
    assert looks == [runs[-1].last.signature]
