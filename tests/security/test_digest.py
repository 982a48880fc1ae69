"""The digest leaf: one hash proves all messages of a tree, and nothing that its signer did not put there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from claude_comm import envelope as envelopes
from claude_comm.errors import DecodeError
from claude_comm.runtime.key_files import KeyPair, make_pair, verify
from claude_comm.security import signing
from claude_comm.security.merkle import (
    DIGEST_DOMAIN,
    HASH_BYTES,
    LEAST_DIGESTED,
    digest_leaf,
    leaf_hash,
    mark_of,
    siblings,
    tree,
)
from claude_comm.security.signing import (
    MAX_MESSAGES,
    BatchVerifier,
    Run,
    Seal,
    SignedTree,
    Signer,
    flight_of,
    key_id,
    messages_in,
    statement,
)

PAIR, OTHER = make_pair(), make_pair()
STREAM = "comm:{m:a}:inbox"
SIZES = (1, 2, 15, 16, 17, 100, 101, 127, 128, 255, 256)


def bodies_of(size: int, name: str = "") -> list[bytes]:
    return [b"\x81" + f"{name}{number:05}".encode() for number in range(size)]


def plainly(public: bytes, stream: str, body: bytes, seal: Seal) -> bool:
    """What readers do that know of no digest, step by step as RFC 9162, section 2.1.3.2, has it."""
    index, last = (seal.place[0], seal.place[1]) if seal.place else (0, 0)
    size, node = last + 1, hashlib.sha256(b"\x00" + body).digest()
    for start in range(2, len(seal.place), HASH_BYTES):
        if not last:
            return False
        sibling = seal.place[start : start + HASH_BYTES]
        if index & 1 or index == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    signed = b"claude-comm batch 1\x00" + hashlib.sha256(public).digest()[:8] + size.to_bytes(4, "big") + node
    return not last and verify(public, signed + stream.encode(), seal.signature)


def without_digest(pair: KeyPair, bodies: Sequence[bytes]) -> list[Seal]:
    """As those seal that know of no digest."""
    root, paths = tree(bodies)
    signature = pair.signer().sign(statement(key_id(pair.public), STREAM, len(bodies), root))
    return [
        Seal(key_id(pair.public), signature, bytes((number, len(bodies) - 1)) + path)
        for number, path in enumerate(paths)
    ]


class Counted:
    """The real verification, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.calls += 1
        return verify(public, message, signature)


def run_of(bodies: Sequence[bytes], seals: Sequence[Seal], pair: KeyPair = PAIR) -> Run:
    return Run(pair.public, bodies, seals[0], seals[-1])


def run_of_tree(bodies: Sequence[bytes], signed: SignedTree, pair: KeyPair = PAIR) -> Run:
    return run_of(bodies, [replace(signed.seal, place=place) for place in signed.places], pair)


def chained(count: int, *, pair: KeyPair = PAIR, size: int = 20) -> list[Run]:
    """Trees that were signed one after another."""
    runs, mark = [], b""
    for number in range(count):
        bodies = bodies_of(size, f"{number}-")
        signed = pair.signer().tree(STREAM, bodies, mark)
        runs.append(run_of_tree(bodies, signed, pair))
        mark = signed.mark
    return runs


@pytest.fixture
def unhashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message is hashed by itself."""

    def refuse(_: Sequence[bytes]) -> list[bytes]:
        raise AssertionError("each message was hashed")

    monkeypatch.setattr(signing, "leaf_hashes", refuse)


@given(st.integers(2, 300))
def test_on_the_right_of_the_last_message_stands_the_digest_and_nothing_else(size: int) -> None:
    leaves = [b"%d" % number for number in range(size)]
    _, paths = tree(leaves)
    rights = [sibling for sibling, on_left in siblings(size - 2, size, paths[-2]) if not on_left]
    assert rights == [leaf_hash(leaves[-1])]


def test_a_digest_is_one_hash_of_lengths_and_messages_and_no_envelope() -> None:
    leaf = digest_leaf([b"ab", b"", b"c"], b"m" * 32)
    expected = hashlib.sha256(b"\0\0\0\2\0\0\0\0\0\0\0\1abc").digest()
    assert leaf == DIGEST_DOMAIN + expected + b"m" * 32
    with pytest.raises(DecodeError):
        envelopes.decode(leaf)


@pytest.mark.parametrize("size", SIZES)
def test_readers_that_know_of_no_digest_believe_each_message_and_each_part(size: int) -> None:
    bodies = bodies_of(size)
    seals = PAIR.signer().seal(STREAM, bodies)
    assert all(plainly(PAIR.public, STREAM, body, seal) for body, seal in zip(bodies, seals, strict=True))
    assert not any(plainly(PAIR.public, STREAM + "2", body, seal) for body, seal in zip(bodies, seals, strict=True))
    # As a part of a tree, by the paths of both ends.
    digested = min(size, MAX_MESSAGES) >= LEAST_DIGESTED
    assert (len(seals[0].place) > 1 and seals[0].place[1] == min(size, MAX_MESSAGES)) is digested
    first = bodies[:MAX_MESSAGES]
    if len(first) > 1:
        top = signing._hashed(run_of(first, seals[: len(first)]))
        signed = statement(key_id(PAIR.public), STREAM, top.size, top.root)
        assert verify(PAIR.public, signed, seals[0].signature)


@pytest.mark.parametrize("size", [2, 15, 16, 17, 18, 127, 128, 255, 256])
def test_trees_without_a_digest_are_believed_whole_in_part_and_one_by_one(size: int) -> None:
    bodies = bodies_of(size)
    seals = without_digest(PAIR, bodies)
    assert all(plainly(PAIR.public, STREAM, body, seal) for body, seal in zip(bodies, seals, strict=True))
    for start, end in ((0, size), (0, size - 1), (1, size), (size // 2, size)):
        run = run_of(bodies[start:end], seals[start:end])
        assert BatchVerifier(verify).all_fit(STREAM, [run]) == [True]
        other = run._replace(bodies=[*run.bodies[:-1], b"other"])
        assert BatchVerifier(verify).all_fit(STREAM, [other]) == [False]
    one = BatchVerifier(verify)
    assert all(one.fits(PAIR.public, STREAM, body, seal) for body, seal in zip(bodies, seals, strict=True))


@pytest.mark.parametrize("size", [16, 17, 64, MAX_MESSAGES - 1, MAX_MESSAGES])
@pytest.mark.usefixtures("unhashed")
def test_a_whole_tree_is_proved_by_one_hash_and_one_signature(size: int) -> None:
    counted, bodies = Counted(), bodies_of(size)
    assert BatchVerifier(counted).all_fit(STREAM, [run_of(bodies, PAIR.signer().seal(STREAM, bodies))]) == [True]
    assert counted.calls == 1


@pytest.mark.usefixtures("unhashed")
def test_of_trees_that_follow_each_other_one_signature_is_looked_at_and_the_next_read_goes_on() -> None:
    runs, counted = chained(7), Counted()
    verifier = BatchVerifier(counted)
    assert verifier.all_fit(STREAM, runs[:4]) == [True] * 4
    assert counted.calls == 1
    assert verifier.all_fit(STREAM, runs[4:]) == [True] * 3
    assert counted.calls == 2


def test_what_was_sent_together_is_chained() -> None:
    bodies, counted = bodies_of(5 * MAX_MESSAGES), Counted()
    seals = PAIR.signer().seal(STREAM, bodies)
    parts = [slice(start, start + MAX_MESSAGES) for start in range(0, len(bodies), MAX_MESSAGES)]
    assert BatchVerifier(counted).all_fit(STREAM, [run_of(bodies[part], seals[part]) for part in parts]) == [True] * 5
    assert counted.calls == 1


def test_a_reader_that_comes_in_the_middle_looks_at_one_signature_too() -> None:
    counted = Counted()
    assert BatchVerifier(counted).all_fit(STREAM, chained(4)[1:]) == [True] * 3
    assert counted.calls == 1


def test_processes_with_one_key_that_write_in_turns_vouch_for_themselves() -> None:
    first, second, counted = chained(4), chained(4, size=21), Counted()
    mixed = [run for pair in zip(first, second, strict=True) for run in pair]
    assert BatchVerifier(counted).all_fit(STREAM, mixed) == [True] * 8
    assert counted.calls == 2


def _changed(run: Run) -> Run:
    return run._replace(bodies=[*run.bodies[:5], b"other", *run.bodies[6:]])


def _longer(run: Run) -> Run:
    """The same bytes end to end, of other lengths."""
    third, fourth = run.bodies[2], run.bodies[3]
    return run._replace(bodies=[*run.bodies[:2], third + fourth[:1], fourth[1:], *run.bodies[4:]])


HURT: dict[str, Callable[[Run], Run]] = {
    "changed": _changed,
    "last changed": lambda run: run._replace(bodies=[*run.bodies[:-1], b"other"]),
    "swapped": lambda run: run._replace(bodies=[run.bodies[1], run.bodies[0], *run.bodies[2:]]),
    "other lengths": _longer,
    "one left out": lambda run: run._replace(bodies=[*run.bodies[:4], *run.bodies[5:]]),
    "one twice": lambda run: run._replace(bodies=[*run.bodies[:5], run.bodies[4], *run.bodies[5:]]),
    "the digest behind": lambda run: run._replace(bodies=[*run.bodies, digest_leaf(run.bodies)]),
    "the digest for the first": lambda run: run._replace(bodies=[digest_leaf(run.bodies), *run.bodies[1:]]),
    "in another name": lambda run: run._replace(public=OTHER.public),
    "a wrong path": lambda run: run._replace(last=replace(run.last, place=run.last.place[:-1] + b"x")),
    "a longer path": lambda run: run._replace(last=replace(run.last, place=run.last.place + bytes(32))),
    "no path": lambda run: run._replace(last=replace(run.last, place=run.last.place[:2])),
    "the first in another place": lambda run: run._replace(
        first=replace(run.first, place=bytes((1, 20)) + run.first.place[2:])
    ),
    "another place": lambda run: run._replace(last=replace(run.last, place=bytes((18, 20)) + run.last.place[2:])),
    "another signature": lambda run: run._replace(
        first=replace(run.first, signature=bytes(64)), last=replace(run.last, signature=bytes(64))
    ),
}


@pytest.mark.parametrize("hurt", HURT)
@pytest.mark.parametrize("place", range(3))
def test_what_was_done_to_one_tree_is_noticed_wherever_it_stands_in_a_chain(hurt: str, place: int) -> None:
    runs = chained(3)
    runs[place] = HURT[hurt](runs[place])
    fitting = BatchVerifier(verify).all_fit(STREAM, runs)
    assert fitting == [number != place for number in range(3)]
    # Nor where the trees before and after it were believed in reads of their own.
    verifier = BatchVerifier(verify)
    assert [verifier.all_fit(STREAM, [run])[0] for run in runs] == fitting


def test_another_stream_has_none_of_it() -> None:
    assert BatchVerifier(verify).all_fit(STREAM + "2", chained(3)) == [False] * 3


def test_no_tree_is_believed_for_the_mark_that_another_key_put_into_its_digest() -> None:
    """Whoever may sign for itself names a tree that it forged in another's name."""
    bodies = bodies_of(20, "forged")
    forged = SignedTree(Seal(key_id(PAIR.public), bytes(64)), OTHER.signer().tree(STREAM, bodies).places)
    run = run_of_tree(bodies, forged)
    (tree_, _) = signing._digested(run, ()) or (None, b"")
    assert tree_ is not None
    for public in (PAIR.public, OTHER.public):
        signed = statement(key_id(public), STREAM, tree_.size, tree_.root)
        mark = mark_of(signed, bytes(64))
        mine = bodies_of(20, "mine")
        vouching = run_of_tree(mine, OTHER.signer().tree(STREAM, mine, mark), OTHER)
        for runs in ([run, vouching], [run._replace(public=OTHER.public), run, vouching]):
            fitting = BatchVerifier(verify).all_fit(STREAM, runs)
            assert not fitting[-2]


def test_trees_that_name_one_another_and_that_nobody_signed_vouch_for_none() -> None:
    forger, runs, mark = Signer(key_id(PAIR.public), lambda _: bytes(64)), [], b""
    for _ in range(3):
        signed = forger.tree(STREAM, bodies_of(20), mark)
        runs.append(run_of_tree(bodies_of(20), signed))
        mark = signed.mark
    assert BatchVerifier(verify).all_fit(STREAM, runs) == [False] * 3
    assert BatchVerifier(verify).all_fit(STREAM, [*runs, *chained(2)]) == [False] * 3 + [True] * 2


def test_of_a_part_no_digest_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    run = chained(1)[0]
    monkeypatch.setattr(signing, "digest_leaf", None)
    bodies = run.bodies
    seals = without_digest(PAIR, bodies)
    for start, end in ((0, 18), (1, 20), (0, 20), (3, 7)):
        assert BatchVerifier(verify).all_fit(STREAM, [run_of(bodies[start:end], seals[start:end])]) == [True]


def test_a_signature_that_the_next_tree_does_not_name_is_looked_at() -> None:
    """Two signatures of one root: only that which was sent is vouched for."""
    runs = chained(2)
    runs[0] = HURT["another signature"](runs[0])
    assert BatchVerifier(verify).all_fit(STREAM, runs) == [False, True]


@given(st.binary(max_size=300), st.integers(16, 20))
def test_whatever_place_the_last_one_has_is_an_answer(place: bytes, size: int) -> None:
    bodies = bodies_of(size)
    seals = PAIR.signer().seal(STREAM, bodies)
    run = Run(PAIR.public, bodies, seals[0], replace(seals[-1], place=bytes((size - 1, size)) + place))
    assert BatchVerifier(verify).all_fit(STREAM, [run]) == [False]
    assert all(number >= 0 for number in flight_of(place))


def test_how_many_are_behind_one_in_its_flight() -> None:
    for size in range(1, MAX_MESSAGES + 1):
        seals = PAIR.signer().seal(STREAM, bodies_of(size)) if size in (1, 2, 15, 16, 17, MAX_MESSAGES) else []
        assert [flight_of(seal.place) for seal in seals] == [(size - 1 - at, size) for at in range(len(seals))]
    assert [messages_in(leaves) for leaves in (1, 16, 17, 128)] == [1, 16, 16, 127]
    assert all(after >= before for before, after in pairwise(map(messages_in, range(1, 257))))


def test_marks_are_remembered_of_so_many_keys() -> None:
    verifier = BatchVerifier(verify)
    run = chained(1)[0]
    for number in range(signing._REMEMBERED + 3):
        verifier.all_fit(f"s{number}", [run])
    assert len(verifier._marks) == signing._REMEMBERED
