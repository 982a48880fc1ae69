"""XADD commands in the protocol's own form, in the parts that travel together.

Law: posts keep their order, and whatever their number no more than a part is held beside them.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence

from claude_comm.effects import Post
from claude_comm.security import sealed
from claude_comm.security.sealing import Sealing
from claude_comm.security.signing import MAX_MESSAGES

# How many entries travel together: enough to keep the server at work while the next part is packed; and how many bytes
# of them, so that what is packed stays in the processor's cache, and the server begins before all is there.
APPEND_PART, APPEND_BYTES = 500, 256 * 1024
_XADD = b"*5\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\ne\r\n$"


def parts(posts: Sequence[Post]) -> Iterator[Sequence[Post]]:
    """What travels together, in order: at least one post each."""
    start = 0
    while start < len(posts):
        part = posts[start : start + APPEND_PART]
        sizes = [len(post.body) for post in part]
        if sum(sizes) > APPEND_BYTES:
            part = part[: max(bisect.bisect_right(list(itertools.accumulate(sizes)), APPEND_BYTES), 1)]
        yield part
        start += len(part)


# The same for an entry that is sealed: alone, or with others, when it has a place among them.
_XADD_LONE, _XADD_PLACED = (_XADD.replace(b"*5", count) for count in (b"*9", b"*11"))
# The fields that an entry has beside its envelope where that is sealed.
_KEY_FIELD, _SIGNATURE_FIELD, _PLACE_FIELD = (
    b"\r\n$1\r\nk\r\n$8\r\n",
    b"\r\n$1\r\ns\r\n$64\r\n",
    b"\r\n$1\r\np\r\n$%d\r\n",
)


# Where key and signature end in a sealed envelope: the length of its place follows.
_SEAL_END = sealed.HEAD - 2


def _packed_sealed(posts: Sequence[Post]) -> bytes:
    """`packed`, of posts that are sealed."""
    stream, lone, placed, seal, beside = "", b"", b"", b"", b""
    pieces: list[bytes] = []
    for post in posts:
        text = post.body
        if post.stream is not stream:
            stream, key = post.stream, post.stream.encode()
            lone, placed = _XADD_LONE % (len(key), key), _XADD_PLACED % (len(key), key)
        # Of those that were sealed together only the place differs.
        if text[1:_SEAL_END] != seal:
            seal = text[1:_SEAL_END]
            beside = b"".join((_KEY_FIELD, seal[:8], _SIGNATURE_FIELD, seal[8:]))
        end = sealed.HEAD + int.from_bytes(text[_SEAL_END : sealed.HEAD], "big")
        if end > sealed.HEAD:
            place = _PLACE_FIELD % (end - sealed.HEAD)
            pieces += (placed, b"%d\r\n" % (len(text) - end), text[end:], beside, place, text[sealed.HEAD : end])
        else:
            pieces += (lone, b"%d\r\n" % (len(text) - end), text[end:], beside)
        pieces.append(b"\r\n")
    return b"".join(pieces)


# A part of whole trees has no more than the others.
_TREES_PART = APPEND_PART - MAX_MESSAGES


def _trees_packed(posts: Sealing) -> Iterator[tuple[bytes, int]]:
    """`flights`, of posts that are sealed meanwhile: the first tree goes alone, so that the server has work at once."""
    key = posts.stream.encode()
    lone, placed = _XADD_LONE % (len(key), key), _XADD_PLACED % (len(key), key)
    pieces: list[bytes] = []
    count = size_bytes = 0
    most = 0
    for tree in posts.trees():
        # Nearly all of a tree have places of one length, and many bodies are of one length.
        size, beside_all = -1, b"".join((_KEY_FIELD, tree.seal.key, _SIGNATURE_FIELD, tree.seal.signature))
        length, prefix, head, beside = -1, b"", b"", b""
        for body, place in zip(tree.bodies, tree.places, strict=True):
            if len(place) != length:
                length, size = len(place), -1
                prefix, beside = (placed, beside_all + _PLACE_FIELD % length) if place else (lone, beside_all)
            if len(body) != size:
                size = len(body)
                head = prefix + b"%d\r\n" % size
            pieces += (head, body, beside, place, b"\r\n")
            count, size_bytes = count + 1, size_bytes + size
            if size_bytes >= APPEND_BYTES:
                yield b"".join(pieces), count
                pieces, count, size_bytes, most = [], 0, 0, _TREES_PART
        if count > most:
            yield b"".join(pieces), count
            pieces, count, size_bytes, most = [], 0, 0, _TREES_PART
    if count:
        yield b"".join(pieces), count


def flights(posts: Sequence[Post]) -> Iterator[tuple[bytes, int]]:
    """The XADD commands of posts in the parts that travel together, each with the number of its commands."""
    if isinstance(posts, Sealing):
        return _trees_packed(posts)
    return ((packed(part), len(part)) for part in parts(posts))


def packed(posts: Sequence[Post]) -> bytes:
    """The XADD commands of these posts in the protocol's own form, which for this one command is short."""
    if posts and posts[0].body[:1] == sealed.MARK:  # whoever signs seals all
        return _packed_sealed(posts)
    stream, prefix, size, head = "", b"", -1, b""
    pieces: list[bytes] = []
    add = pieces.append
    for post in posts:
        body = post.body
        if post.stream is not stream:
            stream, key, size = post.stream, post.stream.encode(), -1
            prefix = _XADD % (len(key), key)
        if len(body) != size:
            size = len(body)
            head = prefix + b"%d\r\n" % size
        # No body is copied but by the join: a copy of 50 KB costs more than all else that is done with it.
        add(head)
        add(body)
        add(b"\r\n")
    return b"".join(pieces)
