"""Signing messages in batches, and checking each of them alone.

Law: what is signed are the bytes as they stand in the entry, for one stream: nothing is encoded twice, and neither an
altered byte nor a copy in another stream passes. What stands beside the envelope, the *seal*, is three fields of the
entry:

| field | bytes | |
| --- | --- | --- |
| `k` | 8 | id of the key: the first bytes of the SHA-256 of the public key |
| `s` | 64 | Ed25519 over domain, key id, stream, number of leaves and root |
| `p` | 2, and 32 each | place of the message in its tree, number of leaves less one, path; left out by a tree of one |

A tree has at most 128 leaves: the path of a larger one would be longer than most messages, and a 128th of a signature
is 0.25 us. Messages that are read together in the order of their tree, all of it or a part, cost two hashes each and
one look at its root. The verifier remembers the nodes of trees whose signature it checked, so messages that come one
after another cost two hashes each, and a message that comes alone costs its path and one signature.

A path is there to prove that a message stands under the root. Where the messages around it prove that already, nobody
looks at its own: one that is wrong does no harm there, because the bytes are those that were signed, for this stream.
Alone such a message is refused; only who signed it can have made it so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from operator import add
from typing import TypeAlias

import msgspec

from claude_comm.security.merkle import leaf_hash, leaf_hashes, node_hash, run_root, siblings, tree

KEY_ID_BYTES, SIGNATURE_BYTES = 8, 64
MAX_LEAVES = 128
_DOMAIN = b"claude-comm batch 1\x00"
# Of at most this many trees the nodes are remembered: up to 60 KB each, where their messages came one by one.
_REMEMBERED = 256

# The signature (64 bytes) of some bytes.
Sign: TypeAlias = Callable[[bytes], bytes]
# Whether this public key signed these bytes so: key, message, signature.
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]


class Seal(msgspec.Struct, frozen=True, gc=False):
    """What stands beside a signed envelope: `key` is the id of the key, `place` empty for a tree of one."""

    key: bytes
    signature: bytes
    place: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether its parts have the lengths of a seal. They come from an entry that anybody may have written."""
        return len(self.key) == KEY_ID_BYTES and len(self.signature) == SIGNATURE_BYTES and len(self.place) < 1 << 16


class Signer(msgspec.Struct, frozen=True):
    """A private key, as what it can do: its id, and signing."""

    key_id: bytes
    sign: Sign

    def seal(self, stream: str, bodies: Sequence[bytes]) -> list[Seal]:
        """The seals of envelopes that go to one stream, in their order."""
        return [
            Seal(self.key_id, whole.signature, place)
            for whole, places in self.heads(stream, bodies)
            for place in places
        ]

    def seal_lone(self, stream: str, body: bytes) -> Seal:
        """The same for one."""
        return Seal(self.key_id, self.sign_lone(stream, body))

    def sign_lone(self, stream: str, body: bytes) -> bytes:
        """The signature of one that is sent alone: its hash is the root."""
        return self.sign(statement(self.key_id, stream, 1, leaf_hash(body)))

    def heads(self, stream: str, bodies: Sequence[bytes]) -> list[tuple[Seal, list[bytes]]]:
        """The same by tree: the seal of its messages without a place, and their places."""
        return [self._tree(stream, bodies[start : start + MAX_LEAVES]) for start in range(0, len(bodies), MAX_LEAVES)]

    def seal_all(self, posts: Sequence[tuple[str, bytes]]) -> list[Seal]:
        """The seals of (stream, envelope) that are sent together; those for one stream share a tree."""
        streams = {stream for stream, _ in posts}
        if len(streams) == 1:
            return self.seal(posts[0][0], [body for _, body in posts])
        order = sorted(range(len(posts)), key=lambda at: posts[at][0])
        seals: dict[int, Seal] = {}
        for stream, places in groupby(order, key=lambda at: posts[at][0]):
            chosen = list(places)
            seals.update(zip(chosen, self.seal(stream, [posts[at][1] for at in chosen]), strict=True))
        return [seals[at] for at in range(len(posts))]

    def _tree(self, stream: str, bodies: Sequence[bytes]) -> tuple[Seal, list[bytes]]:
        if len(bodies) == 1:
            return self.seal_lone(stream, bodies[0]), [b""]
        top, paths = tree(bodies)
        seal = Seal(self.key_id, self.sign(statement(self.key_id, stream, len(bodies), top)))
        return seal, list(map(add, _starts(len(bodies)), paths))


def key_id(public: bytes) -> bytes:
    """The id of a public key."""
    return sha256(public).digest()[:KEY_ID_BYTES]


def statement(key: bytes, stream: str, leaves: int, root: bytes) -> bytes:
    """What is signed. The stream is the only part of no fixed length, and stands last."""
    return _DOMAIN + key + leaves.to_bytes(4, "big") + root + stream.encode()


@lru_cache(maxsize=16)
def _starts(size: int) -> tuple[bytes, ...]:
    """What the places of a tree of that size begin with."""
    return tuple(bytes((at, size - 1)) for at in range(size))


def _stands(place: bytes) -> tuple[int, int]:
    """Which leaf that is, and of how many. Raises IndexError for what is no place."""
    return (place[0], place[1] + 1) if place else (0, 1)


# What a node is joined with, whether that stands on its left, and the node above the two.
_Step: TypeAlias = tuple[bytes, bool, bytes]


class _Tree(msgspec.Struct, frozen=True):
    """A tree: how many leaves it has, its root, and what is known of the nodes below."""

    size: int
    root: bytes
    steps: dict[bytes, _Step] = {}


class BatchVerifier:
    """Checks seals against public keys. Whether a key may speak for a module is decided by `checking`.

    What it remembers are roots whose signature was checked, and computed hashes: never that a message passed.
    """

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._trees: OrderedDict[tuple[str, bytes, bytes], _Tree] = OrderedDict()

    def fits(self, public: bytes, stream: str, body: bytes, seal: Seal) -> bool:
        """Whether the holder of that key sealed this envelope for this stream. Total: whatever bytes a seal has."""
        known = self._trees.get((stream, public, seal.signature))
        steps = known.steps if known is not None else {}
        node, way = leaf_hash(body), dict[bytes, _Step]()
        try:
            index, size = _stands(seal.place)
            for sibling, on_left in siblings(index, size, seal.place[2:]):
                step = steps.get(node)
                if step is None or step[:2] != (sibling, on_left):
                    above = node_hash(sibling, node) if on_left else node_hash(node, sibling)
                    step = way[node] = sibling, on_left, above
                    way[sibling] = node, not on_left, above
                node = step[2]
        except (ValueError, IndexError):
            return False
        return self._signed(public, stream, seal.signature, _Tree(size, node, way))

    def all_fit(self, public: bytes, stream: str, bodies: Sequence[bytes], first: Seal, last: Seal) -> bool:
        """Whether these, of which the ends have these seals, stand one after another in one batch, all of it or a part:
        then a look at the root is one at all of them. False says nothing about each of them."""
        if len(bodies) == 1:
            return self.fits(public, stream, bodies[0], first)
        try:
            (low, size), (high, _) = _stands(first.place), _stands(last.place)
            if high - low + 1 != len(bodies):
                return False
            top = run_root(leaf_hashes(bodies), low, size, first.place[2:], last.place[2:])
        except (ValueError, IndexError):
            return False
        # Of a part, the rest comes with the next read.
        return self._signed(public, stream, first.signature, _Tree(size, top), remember=len(bodies) < size)

    def _signed(self, public: bytes, stream: str, signature: bytes, tree: _Tree, *, remember: bool = True) -> bool:
        """Whether that is the signature of this tree."""
        batch = stream, public, signature
        known = self._trees.get(batch)
        if known is not None and (known.size, known.root) == (tree.size, tree.root):
            known.steps.update(tree.steps)
            return True
        if not self._verify(public, statement(key_id(public), stream, tree.size, tree.root), signature):
            return False
        if remember:
            self._trees[batch] = tree
            while len(self._trees) > _REMEMBERED:
                self._trees.popitem(last=False)
        return True
