"""Posts that are sealed when they are taken."""

from __future__ import annotations

from claude_comm.effects import Post
from claude_comm.runtime.key_files import make_pair, verify
from claude_comm.security import sealed
from claude_comm.security.sealing import Sealing, streams_of
from claude_comm.security.signing import MAX_MESSAGES, BatchVerifier, Signer

STREAM = "comm:{m:a}:inbox"
PAIR = make_pair()
POSTS = [Post(STREAM, b"\x81%d" % number) for number in range(10 * MAX_MESSAGES + 1)]


def test_each_has_its_seal_however_they_are_taken() -> None:
    sealing = Sealing(PAIR.signer(), STREAM, POSTS)
    taken = [*sealing[0:500], *sealing[500:1000], *sealing[1000:]]
    assert taken == list(sealing) == list(Sealing(PAIR.signer(), STREAM, POSTS))
    verifier = BatchVerifier(verify)
    for post, before in zip(taken, POSTS, strict=True):
        body, seal = sealed.split(post.body)
        assert (post.stream, body) == (STREAM, before.body)
        assert seal is not None
        assert verifier.fits(PAIR.public, STREAM, body, seal)


def test_one_that_is_sealed_alone_is_what_it_is_with_the_others() -> None:
    signer = PAIR.signer()
    joined = sealed.join_lone(b"\x81x", signer.key_id, signer.sign_lone(STREAM, b"\x81x"))
    assert joined == sealed.join(b"\x81x", signer.seal_lone(STREAM, b"\x81x"))


def test_they_are_a_sequence() -> None:
    sealing = Sealing(PAIR.signer(), STREAM, POSTS)
    assert (len(sealing), streams_of(sealing)) == (len(POSTS), {STREAM})
    assert sealing[-1] == list(sealing)[-1]
    assert sealing[7:301:293] == [sealing[7], sealing[300]]


def test_a_tree_is_signed_once_and_not_before_it_is_asked_for() -> None:
    signed: list[bytes] = []
    signer = PAIR.signer()

    def sign(message: bytes) -> bytes:
        signed.append(message)
        return signer.sign(message)

    sealing = Sealing(Signer(signer.key_id, sign), STREAM, POSTS)
    trees = sealing.trees()
    assert not signed
    assert next(trees).bodies == [post.body for post in POSTS[:MAX_MESSAGES]]
    assert len(sealing[:MAX_MESSAGES]) == MAX_MESSAGES
    assert len(signed) == 1
    assert [len(tree.bodies) for tree in trees][-1] == 1
    assert len(list(sealing.trees())) == len(signed) == 11
