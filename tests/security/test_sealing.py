"""Posts that are sealed when they are taken."""

from __future__ import annotations

from claude_comm.effects import Post
from claude_comm.runtime.key_files import make_pair, verify
from claude_comm.security import sealed
from claude_comm.security.sealing import Sealing, streams_of
from claude_comm.security.signing import MAX_LEAVES, BatchVerifier

STREAM = "comm:{m:a}:inbox"
PAIR = make_pair()
POSTS = [Post(STREAM, b"\x81%d" % number) for number in range(10 * MAX_LEAVES + 3)]


def test_each_has_its_seal_however_they_are_taken() -> None:
    sealing = Sealing(PAIR.signer(), STREAM, POSTS)
    taken = [*sealing[0:500], *sealing[500:1000], *sealing[1000:]]
    assert len(taken) == len(sealing) == len(POSTS)
    verifier = BatchVerifier(verify)
    for post, before in zip(taken, POSTS, strict=True):
        body, seal = sealed.split(post.body)
        assert (post.stream, body) == (STREAM, before.body)
        assert seal is not None
        assert verifier.fits(PAIR.public, STREAM, body, seal)


def test_what_is_taken_again_carries_the_same_seal() -> None:
    sealing = Sealing(PAIR.signer(), STREAM, POSTS)
    last, some = sealing[-1], [sealing[place] for place in (7, 300)]
    assert list(sealing)[-1] is last
    assert sealing[7:301:293] == some
    assert list(sealing)[7] is some[0]


def test_no_more_is_sealed_than_travels_with_what_is_taken() -> None:
    signed: list[bytes] = []
    signer = PAIR.signer()
    counting = type(signer)(signer.key_id, lambda message: signed.append(message) or signer.sign(message))
    sealing = Sealing(counting, STREAM, POSTS)
    assert (len(sealing), streams_of(sealing), len(signed)) == (len(POSTS), {STREAM}, 0)
    assert len(sealing[:500]) == 500
    assert len(signed) == 4
