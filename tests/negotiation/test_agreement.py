"""Agreements: addressed by content, refused with their reason, read back whatever stands there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.errors import NegotiationRefused
from claude_comm.negotiation.agreement import (
    Answer,
    Question,
    UnreadableAgreement,
    conclude,
    decode,
    digest,
    encode,
    require,
    require_one,
    why,
)
from claude_comm.schema import Compatible, Impossible, Incompatible, Reason, Undecided

QUESTION = Question(producer="a", consumer="b", produced={"type": "integer"}, accepted={"type": "number"})
REASON = Reason(path="$.x", schema_path="/properties/x", rule="minimum", sentence="`x` may be negative")
REFUSAL = Incompatible(witness={"x": -1}, reasons=(REASON,))


def test_the_same_question_has_the_same_id_whatever_the_order_of_its_keys() -> None:
    first: dict[str, Any] = {"type": "object", "properties": {"a": {}, "b": {}}}
    second: dict[str, Any] = {"properties": {"b": {}, "a": {}}, "type": "object"}
    asked = [msgspec.structs.replace(QUESTION, produced=schema) for schema in (first, second)]
    assert digest(asked[0]) == digest(asked[1])


@pytest.mark.parametrize("field", ["producer", "consumer", "type"])
def test_another_question_has_another_id(field: str) -> None:
    assert digest(msgspec.structs.replace(QUESTION, **{field: "other"})) != digest(QUESTION)
    assert digest(msgspec.structs.replace(QUESTION, policy="strict")) != digest(QUESTION)


@pytest.mark.parametrize("verdict", [Compatible(proof="p"), REFUSAL, Undecided(place="/x", why="w")])
def test_an_agreement_is_read_back_as_it_was_stored(verdict: Any) -> None:
    made = conclude(QUESTION, Answer(verdict=verdict), decided_by="caller", decided_us=7)
    assert decode(encode(made)) == made


def test_an_agreement_of_a_newer_release_is_told_as_that() -> None:
    made = encode(conclude(QUESTION, Answer(verdict=Compatible()), decided_by="caller", decided_us=7))
    with pytest.raises(UnreadableAgreement, match="newer release"):
        decode(made.replace(b'"v":2', b'"v":3'))


def test_only_a_proof_lets_messages_through() -> None:
    for verdict, fits in ((Compatible(), True), (REFUSAL, False), (Undecided(place="", why="w"), False)):
        made = conclude(QUESTION, Answer(verdict=verdict), decided_by="caller", decided_us=7)
        assert made.fits is fits
        if fits:
            assert require(made) is made
        else:
            with pytest.raises(NegotiationRefused) as caught:
                require(made)
            assert caught.value.refusal is made


def test_a_refusal_shows_its_witness_and_its_reason() -> None:
    assert why(REFUSAL) == 'for example the message {"x":-1} would be refused. `x` may be negative (at $.x).'
    assert "could not be decided" in why(Undecided(place="/x", why="look-ahead"))


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"id":1}'])
def test_what_is_no_agreement_says_so(text: bytes) -> None:
    with pytest.raises(UnreadableAgreement, match="negotiate again"):
        decode(text)


def test_each_version_that_refuses_says_why() -> None:
    refused = [
        conclude(
            msgspec.structs.replace(QUESTION, consumer_version=version),
            Answer(verdict=verdict),
            decided_by="caller",
            decided_us=7,
        )
        for version, verdict in (("2.0.0", REFUSAL), ("1.0.0", Undecided(place="", why="it is too deep")))
    ]
    with pytest.raises(NegotiationRefused, match="in no version that is offered") as raised:
        require_one(refused)
    assert "\n  2.0.0: for example the message" in str(raised.value)
    assert "\n  1.0.0: it could not be decided" in str(raised.value)
    fitting = conclude(QUESTION, Answer(verdict=Compatible()), decided_by="caller", decided_us=7)
    assert require_one([*refused, fitting]) is fitting


def test_every_verdict_has_a_sentence() -> None:
    assert why(Compatible(proof="p")) == "every message fits."
    assert why(Compatible(vacuous="nothing is sent")) == "nothing is sent."
    assert why(Impossible(why="nothing is accepted", proof="p")) == "nothing is accepted."
    assert why(Undecided(place="", why="w")) == "it could not be decided whether every message fits: w (at the root)."
    long = why(Incompatible(witness="x" * 500, reasons=(REASON,)))
    assert f'"{"x" * 196}...' in long
