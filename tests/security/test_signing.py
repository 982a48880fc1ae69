"""Seals: each message of a batch can be checked alone, and nothing that was changed passes."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from claude_comm.client.consumer.options import DEFAULT_BATCH
from claude_comm.runtime.key_files import make_pair, verify
from claude_comm.security.signing import MAX_MESSAGES, BatchVerifier, Run, Seal, Signer

PAIR = make_pair()
SIGNER = PAIR.signer()
STREAM = "comm:{m:a}:inbox"


class Counted:
    """The real verification, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.calls += 1
        return verify(public, message, signature)


def test_a_tree_is_as_large_as_a_batch_so_that_one_read_brings_it_whole() -> None:
    assert MAX_MESSAGES == DEFAULT_BATCH


def test_a_lone_message_is_a_tree_of_one() -> None:
    assert SIGNER.seal_lone(STREAM, b"body") == SIGNER.seal(STREAM, [b"body"])[0]
    assert SIGNER.seal_lone(STREAM, b"body").place == b""
    assert BatchVerifier(verify).fits(PAIR.public, STREAM, b"body", SIGNER.seal_lone(STREAM, b"body"))
    assert not BatchVerifier(verify).fits(PAIR.public, STREAM + "2", b"body", SIGNER.seal_lone(STREAM, b"body"))


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=2 * MAX_MESSAGES + 3), st.randoms())
def test_each_passes_alone_and_in_any_order(bodies: list[bytes], random: object) -> None:
    pairs = list(zip(bodies, SIGNER.seal(STREAM, bodies), strict=True))
    assert all(BatchVerifier(verify).fits(PAIR.public, STREAM, body, seal) for body, seal in pairs[:3])
    random.shuffle(pairs)  # type: ignore[attr-defined]
    verifier = BatchVerifier(verify)
    assert all(verifier.fits(PAIR.public, STREAM, body, seal) for body, seal in pairs)


def test_a_batch_costs_one_signature_to_check() -> None:
    bodies = [b"%d" % number for number in range(MAX_MESSAGES)]
    counted = Counted()
    verifier = BatchVerifier(counted)
    for body, seal in zip(bodies, SIGNER.seal(STREAM, bodies), strict=True):
        assert verifier.fits(PAIR.public, STREAM, body, seal)
    assert counted.calls == 1


@given(st.data())
def test_nothing_that_was_changed_passes_also_after_its_batch_was_checked(data: st.DataObject) -> None:
    bodies = [b"%d" % number for number in range(data.draw(st.integers(1, 9)))]
    seals = SIGNER.seal(STREAM, bodies)
    verifier = BatchVerifier(verify)
    for body, seal in zip(bodies, seals, strict=True):
        assert verifier.fits(PAIR.public, STREAM, body, seal)
    at = data.draw(st.integers(0, len(bodies) - 1))
    body, seal = bodies[at], seals[at]
    assert not verifier.fits(PAIR.public, STREAM, body + b"!", seal)
    assert not verifier.fits(PAIR.public, STREAM + "2", body, seal)
    assert not verifier.fits(make_pair().public, STREAM, body, seal)
    flipped = bytearray(seal.signature)
    flipped[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
    assert not verifier.fits(PAIR.public, STREAM, body, Seal(seal.key, bytes(flipped), seal.place))


@given(st.binary(max_size=120), st.binary(max_size=70))
def test_whatever_a_seal_holds_is_an_answer(place: bytes, signature: bytes) -> None:
    assert not BatchVerifier(verify).fits(PAIR.public, STREAM, b"body", Seal(SIGNER.key_id, signature, place))


def test_messages_for_several_streams_keep_their_order() -> None:
    posts = [(f"s{number % 3}", os.urandom(9)) for number in range(20)]
    for (stream, body), seal in zip(posts, SIGNER.seal_all(posts), strict=True):
        assert BatchVerifier(verify).fits(PAIR.public, stream, body, seal)


def test_a_signer_shows_no_secret() -> None:
    assert PAIR.seed.hex() not in repr(PAIR)
    assert repr(PAIR.seed) not in repr(PAIR) + repr(Signer(SIGNER.key_id, SIGNER.sign))


def _all_fit(
    verifier: BatchVerifier,
    bodies: list[bytes],
    seals: list[Seal],
    *,
    public: bytes = PAIR.public,
    stream: str = STREAM,
) -> bool:
    return verifier.all_fit(stream, [Run(public, bodies, seals[0], seals[-1])]) == [True]


@given(st.integers(1, MAX_MESSAGES), st.data())
def test_a_batch_or_a_run_of_it_passes_at_one_look_and_nothing_else_does(size: int, data: st.DataObject) -> None:
    bodies = [b"%d" % number for number in range(size)]
    seals = SIGNER.seal(STREAM, bodies)
    verifier = BatchVerifier(verify)
    assert _all_fit(verifier, bodies, seals)
    at = data.draw(st.integers(0, size - 1))
    assert not _all_fit(verifier, [*bodies[:at], b"other", *bodies[at + 1 :]], seals)
    assert not _all_fit(verifier, bodies, seals, stream=STREAM + "2")
    assert not _all_fit(verifier, bodies, seals, public=make_pair().public)
    start = data.draw(st.integers(0, at))
    run, places = bodies[start : at + 1], seals[start : at + 1]
    looks: list[bytes] = []
    counting = BatchVerifier(lambda *signed: not looks.append(signed[2]) and verify(*signed))
    assert _all_fit(counting, run, places)
    if len(run) < size:
        # The rest of it is believed without another look at the signature.
        assert all(_all_fit(counting, [bodies[n]], [seals[n]]) for n in range(size))
        assert len(looks) == 1
        other = data.draw(st.integers(0, len(run) - 1))
        assert not _all_fit(verifier, [*run[:other], b"other", *run[other + 1 :]], places)
        assert not _all_fit(counting, [*run[:other], b"other", *run[other + 1 :]], places)
    if size > 2:
        assert not _all_fit(verifier, bodies[::2], seals[::2])
    if size > 1:
        assert not _all_fit(verifier, bodies[:1], seals[1:2])
        assert not _all_fit(verifier, [bodies[0], bodies[0]], [seals[0], seals[0]])
        assert not _all_fit(verifier, bodies[::-1], seals[::-1])
        assert not _all_fit(verifier, bodies[::-1], seals)
