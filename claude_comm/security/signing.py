"""Signing messages in batches, and checking each of them alone.

Law: what is signed are the bytes as they stand in the entry, for one stream: nothing is encoded twice, and neither an
altered byte nor a copy in another stream passes. What stands beside the envelope, the *seal*, is three fields of the
entry:

| field | bytes | |
| --- | --- | --- |
| `k` | 8 | id of the key: the first bytes of the SHA-256 of the public key |
| `s` | 64 | Ed25519 over domain, key id, stream, number of leaves and root |
| `p` | 2, and 32 each | place of the message in its tree, number of leaves less one, path; left out by a tree of one |

A tree has at most 100 messages: the path of a larger one would be longer than most messages, and a hundredth of a
signature is 0.3 us. From 16 messages on its last leaf is no message, but a digest of them all (`security.merkle`). All
messages of such a tree, read together in its order, are proved by the digest and the path of the last one: one hash,
and one look at the root, or none where the digest of a later tree names this one. A part of a tree, or one without a
digest, costs two hashes a message and one look at its root. The verifier remembers the nodes of trees whose signature
it checked: messages that come one after another cost two hashes each, and a lone one its path and one signature.

A path is there to prove that a message stands under the root. Where the messages around it prove that already, nobody
looks at its own: one that is wrong does no harm there, because the bytes are those that were signed, for this stream.
Alone such a message is refused; only who signed it can have made it so.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from operator import add
from typing import NamedTuple, TypeAlias

import msgspec

from claude_comm.security.merkle import (
    LEAST_DIGESTED,
    digest_leaf,
    leaf_hash,
    leaf_hashes,
    mark_of,
    node_hash,
    run_root,
    siblings,
    tree,
)

KEY_ID_BYTES, SIGNATURE_BYTES = 8, 64
# As many as a consumer reads at a time, unless it is told otherwise (`DEFAULT_BATCH`): so that it has whole trees.
MAX_MESSAGES = 100
_DOMAIN = b"claude-comm batch 1\x00"
# Of at most this many trees the nodes are remembered: up to 60 KB each, where their messages came one by one.
_REMEMBERED = 256

# Several processes may sign with one key: so many trees of it may lie between one and the next of the same process.
_MARKS = 8

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


class SignedTree(NamedTuple):
    """The seal, without a place, of messages that were signed together, and the place of each; `mark` is for the digest
    of the next ones."""

    seal: Seal
    places: Sequence[bytes]
    mark: bytes = b""


class Signer(msgspec.Struct, frozen=True):
    """A private key, as what it can do: its id, and signing."""

    key_id: bytes
    sign: Sign

    def seal(self, stream: str, bodies: Sequence[bytes]) -> list[Seal]:
        """The seals of envelopes that go to one stream, in their order."""
        seals: list[Seal] = []
        mark = b""
        for start in range(0, len(bodies), MAX_MESSAGES):
            tree = self.tree(stream, bodies[start : start + MAX_MESSAGES], mark)
            seals += [Seal(self.key_id, tree.seal.signature, place) for place in tree.places]
            mark = tree.mark
        return seals

    def seal_lone(self, stream: str, body: bytes) -> Seal:
        """The same for one."""
        return Seal(self.key_id, self.sign_lone(stream, body))

    def sign_lone(self, stream: str, body: bytes) -> bytes:
        """The signature of one that is sent alone: its hash is the root."""
        return self.sign(statement(self.key_id, stream, 1, leaf_hash(body)))

    def tree(self, stream: str, bodies: Sequence[bytes], mark: bytes = b"") -> SignedTree:
        """Signs up to `MAX_MESSAGES` envelopes, at least one, together; `mark` is that of the tree before it, of the
        same stream."""
        if len(bodies) == 1:
            return SignedTree(self.seal_lone(stream, bodies[0]), [b""])
        digested = len(bodies) >= LEAST_DIGESTED
        leaves = [*bodies, digest_leaf(bodies, mark)] if digested else bodies
        top, paths = tree(leaves)
        signed = statement(self.key_id, stream, len(leaves), top)
        signature = self.sign(signed)
        # A digest has a path as well, which nobody needs.
        places = list(map(add, _starts(len(leaves))[: len(bodies)], paths))
        return SignedTree(Seal(self.key_id, signature), places, mark_of(signed, signature) if digested else b"")

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


def flight_of(place: bytes) -> tuple[int, int]:
    """How many messages stand behind that one in its tree, and how many are in it. Total, whatever a place holds."""
    if len(place) < 2:
        return 0, 1
    messages = messages_in(place[1] + 1)
    return max(messages - 1 - place[0], 0), messages


def messages_in(leaves: int) -> int:
    """How many messages a tree of so many leaves has, as it is signed here."""
    return leaves - 1 if leaves > LEAST_DIGESTED else leaves


# What a node is joined with, whether that stands on its left, and the node above the two.
_Step: TypeAlias = tuple[bytes, bool, bytes]


class _Tree(msgspec.Struct, frozen=True):
    """A tree: how many leaves it has, its root, and what is known of the nodes below."""

    size: int
    root: bytes
    steps: dict[bytes, _Step] = {}


class Run(NamedTuple):
    """Messages under one signature, as they were read one after another; the seals of the ends, and their key."""

    public: bytes
    bodies: Sequence[bytes]
    first: Seal
    last: Seal


class _Link(NamedTuple):
    """The tree that a run belongs to, if its root was signed; the mark of it, and of the tree that its digest names."""

    tree: _Tree
    mark: bytes
    before: bytes = b""


def _digested(run: Run, marks: Iterable[bytes]) -> tuple[_Tree, bytes] | None:
    """The tree of these, if they are all messages of one and its digest is theirs; and which of the marks it names.
    Raises ValueError or IndexError for a place that is none."""
    (low, _), (high, size) = _stands(run.first.place), _stands(run.last.place)
    if low or high != size - 2 or len(run.bodies) != size - 1 or size <= LEAST_DIGESTED:
        return None
    way = list(siblings(high, size, run.last.place[2:]))
    rights = [sibling for sibling, on_left in way if not on_left]
    leaf = digest_leaf(run.bodies)
    # Nearly always that of the tree before it, or none.
    tried = [*marks]
    tried.insert(1, b"")
    named = next((mark for mark in tried if rights == [leaf_hash(leaf + mark)]), None)
    if named is None:
        return None
    node = leaf_hash(run.bodies[-1])
    for sibling, on_left in way:
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    return _Tree(size, node), named


def _hashed(run: Run) -> _Tree:
    """The tree in which these stand one after another, all of it or a part. Raises ValueError or IndexError where they
    stand in none."""
    (low, size), (high, _) = _stands(run.first.place), _stands(run.last.place)
    if not 1 < len(run.bodies) == high - low + 1:
        raise ValueError("the run is one message, or has gaps")
    return _Tree(size, run_root(leaf_hashes(run.bodies), low, size, run.first.place[2:], run.last.place[2:]))


def _linked(stream: str, run: Run, marks: Iterable[bytes]) -> _Link:
    """Raises ValueError or IndexError where these stand in no tree one after another."""
    tree, before = _digested(run, marks) or (_hashed(run), b"")
    signed = statement(key_id(run.public), stream, tree.size, tree.root)
    return _Link(tree, mark_of(signed, run.first.signature), before)


class BatchVerifier:
    """Checks seals against public keys. Whether a key may speak for a module is decided by `checking`.

    What it remembers are roots whose signature was checked, and computed hashes: never that a message passed.
    """

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._trees: OrderedDict[tuple[str, bytes, bytes], _Tree] = OrderedDict()
        # Of each stream and key the marks of the trees that came last.
        self._marks: dict[tuple[str, bytes], deque[bytes]] = {}

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

    def all_fit(self, stream: str, runs: Sequence[Run | None]) -> list[bool]:
        """Of each run of messages that were read together, whether all of it was sealed for this stream: a look at a
        root is one at all below. False says nothing about each message."""
        links = self._links(stream, runs)
        fitting: list[bool] = []
        vouched: set[tuple[bytes, bytes]] = set()
        # The later ones vouch for those before them.
        for run, link in zip(reversed(runs), reversed(links), strict=True):
            fits = False
            if run is not None and link is not None:
                fits = (run.public, link.mark) in vouched or self._is_signed(stream, run, link)
                if fits:
                    vouched.add((run.public, link.before))
            elif run is not None and len(run.bodies) == 1:
                fits = self.fits(run.public, stream, run.bodies[0], run.first)
            fitting.append(fits)
        return fitting[::-1]

    def _links(self, stream: str, runs: Sequence[Run | None]) -> list[_Link | None]:
        """The trees that runs belong to. A digest names a tree of its own key alone: of what another one signed it
        proves nothing."""
        links: list[_Link | None] = []
        for run in runs:
            link = None
            if run is not None:
                marks = self._marks.setdefault((stream, run.public), deque(maxlen=_MARKS))
                with suppress(ValueError, IndexError):
                    link = _linked(stream, run, marks)
                    marks.appendleft(link.mark)
            links.append(link)
        while len(self._marks) > _REMEMBERED:
            del self._marks[next(iter(self._marks))]
        return links

    def _is_signed(self, stream: str, run: Run, link: _Link) -> bool:
        # Of a part, the rest comes with the next read.
        remember = len(run.bodies) < messages_in(link.tree.size)
        return self._signed(run.public, stream, run.first.signature, link.tree, remember=remember)

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
