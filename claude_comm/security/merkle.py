"""Merkle trees as RFC 9162, section 2.1, has them: one root for many messages, and a short path for each of them.

Law: a leaf and an inner node are hashed under different prefixes, so that neither is ever taken for the other. No
MessagePack value begins with `0xc1`, as a digest leaf does, so that no message is ever taken for one.

Theory. Signing a message costs 30 us and checking it 75; hashing one costs 1. Messages that are sent together are the
leaves of a tree, in their order:

    root = H(1, H(1, a, b), c)      a = H(0, first message)     b = H(0, second)     c = H(0, third)

One signature of the root covers all of them. Who holds the second message and its path `a, c` computes the root again,
without the other messages. The tree of RFC 9162 splits at the largest power of two below the number of leaves; pairing
the nodes of each level from the left, and taking an odd last one up as it is, gives the same tree.

The digest leaf. Who holds all messages of a tree would hash each of them, and then each node: two short hashes a
message. The digest leaf holds one long hash of them all, which is cheaper:

    leaf n = DIGEST_DOMAIN + SHA-256(length of each message, 4 bytes, then the messages, end to end) + mark

The lengths keep apart messages whose bytes are the same end to end. In a tree of n + 1 leaves it stands last, so that
it, and nothing else, is ever on the right of the way from leaf n - 1 to the root: the path of the last message holds
its hash, and proves that it was signed. To readers that know nothing of it, it is a message that they never see.

The mark, 32 bytes, names the tree that the same key signed for the same stream just before: the SHA-256 of what was
signed of that and of its signature. Who believes the one tree believes the other: of trees that are read together, one
after another, only the signature of the last one is looked at. The first tree of those that are sent together has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256

# RFC 9162, section 2.1.1. To copy a hash that has begun takes a tenth less than to begin one.
_LEAF, _NODE = sha256(b"\x00"), sha256(b"\x01")
HASH_BYTES = 32
DIGEST_DOMAIN = b"\xc1claude-comm digest 1\x00"
# A tree of fewer messages has no digest: they are hashed as quickly one by one.
LEAST_DIGESTED = 16


def leaf_hash(message: bytes) -> bytes:
    leaf = _LEAF.copy()
    leaf.update(message)
    return leaf.digest()


def leaf_hashes(messages: Sequence[bytes]) -> list[bytes]:
    """`leaf_hash` of each, written out: this runs for every message."""
    leaves: list[bytes] = []
    begin, add = _LEAF.copy, leaves.append
    for message in messages:
        leaf = begin()
        leaf.update(message)
        add(leaf.digest())
    return leaves


def node_hash(left: bytes, right: bytes) -> bytes:
    node = _NODE.copy()
    node.update(left + right)
    return node.digest()


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The nodes above these, which are paired from the left; an odd last one stands there as it is."""
    nodes: list[bytes] = []
    begin, add, lefts = _NODE.copy, nodes.append, iter(level)
    for left, right in zip(lefts, lefts, strict=False):
        node = begin()
        node.update(left + right)
        add(node.digest())
    if len(level) & 1:
        add(level[-1])
    return nodes


def tree(messages: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The root over these messages, of which there is at least one, and the path of each: the hashes beside its way up,
    from the leaf on, end to end."""
    levels = [leaf_hashes(messages)]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    paths = [b""]
    for level in reversed(levels[:-1]):
        below: list[bytes] = []
        lefts = iter(level)
        for left, right, path in zip(lefts, lefts, paths, strict=False):
            below += (right + path, left + path)
        if len(level) & 1:
            below.append(paths[-1])
        paths = below
    return levels[-1][0], paths


def run_root(leaves: Sequence[bytes], first: int, size: int, first_path: bytes, last_path: bytes) -> bytes:
    """The root of a tree of that size over leaves (hashes, at least one) that stand one after another in it, from the
    place `first` on; the two paths are those of the first and of the last of them.

    A whole tree needs neither path: they are looked at where the run has an end within the tree. Raises ValueError
    where such a path is too short, or the run longer than its tree.
    """
    if first + len(leaves) > size:
        raise ValueError("the run is longer than its tree")
    level, low, last, left_at, right_at = list(leaves), first, size - 1, 0, 0
    while last:
        high = low + len(level) - 1
        # Each end has a sibling in its path at each level but where it is the odd last one.
        if low & 1 or low < last:
            if low & 1:
                level.insert(0, _sibling(first_path, left_at))
                low -= 1
            left_at += HASH_BYTES
        if high & 1 or high < last:
            if not high & 1:
                level.append(_sibling(last_path, right_at))
            right_at += HASH_BYTES
        level, low, last = _above(level), low >> 1, last >> 1
    return level[0]


def _sibling(path: bytes, at: int) -> bytes:
    sibling = path[at : at + HASH_BYTES]
    if len(sibling) < HASH_BYTES:
        raise ValueError("the path is too short for its tree")
    return sibling


def siblings(index: int, size: int, path: bytes) -> Iterator[tuple[bytes, bool]]:
    """What stands beside the way from a leaf to the root: each hash, and whether it is the left one of the two. Raises
    ValueError, at the latest at its end, for a path that cannot be one of that place in a tree of that size."""
    if not 0 <= index < size or len(path) % HASH_BYTES:
        raise ValueError("the path is none of a message's place in its tree")
    last, at = size - 1, 0
    while last:
        if index & 1 or index < last:
            yield _sibling(path, at), bool(index & 1)
            at += HASH_BYTES
        index, last = index >> 1, last >> 1
    if at != len(path):
        raise ValueError("the path is too long for its tree")


def digest_leaf(messages: Sequence[bytes], mark: bytes = b"") -> bytes:
    """The digest leaf of these, all messages of a tree in their order; `mark` is that of the tree before."""
    lengths = struct.pack(f">{len(messages)}I", *map(len, messages))
    return DIGEST_DOMAIN + sha256(b"".join((lengths, *messages))).digest() + mark


def mark_of(signed: bytes, signature: bytes) -> bytes:
    """What names a tree in the digest leaf of the next one: `signed` has one length beside its stream, so no two trees
    have one mark."""
    return sha256(signature + signed).digest()
