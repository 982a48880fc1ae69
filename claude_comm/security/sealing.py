"""Posts for one stream that are sealed when somebody takes them: while the server works on those before.

Law: to whoever has it, it is the posts with their seals, each in one piece. What was sealed stays as it is, so that a
post that is sent again carries the same seal. Who writes them to a stream takes them as `trees`, and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from claude_comm.effects import Post
from claude_comm.security import sealed
from claude_comm.security.signing import MAX_MESSAGES, Seal, Signer


class Tree(NamedTuple):
    """Envelopes that were signed together: their seal without a place, and the place of each."""

    bodies: Sequence[bytes]
    seal: Seal
    places: Sequence[bytes]


class Sealing(Sequence[Post]):
    """Posts that all go to `stream`, none of them sealed yet."""

    def __init__(self, signer: Signer, stream: str, posts: Sequence[Post]) -> None:
        self._signer, self.stream, self._posts = signer, stream, posts
        self._trees: list[Tree] = []
        self._mark = b""

    def trees(self) -> Iterator[Tree]:
        """All of them in their order, each sealed when it is asked for."""
        return map(self._tree, range((len(self._posts) + MAX_MESSAGES - 1) // MAX_MESSAGES))

    def __len__(self) -> int:
        return len(self._posts)

    @overload
    def __getitem__(self, place: int) -> Post: ...

    @overload
    def __getitem__(self, place: slice) -> list[Post]: ...

    def __getitem__(self, place: int | slice) -> Post | list[Post]:
        places = range(len(self._posts))[place]
        return self._post(places) if isinstance(places, int) else list(map(self._post, places))

    def _post(self, place: int) -> Post:
        number, at = divmod(place, MAX_MESSAGES)
        tree = self._tree(number)
        whole = Seal(tree.seal.key, tree.seal.signature, tree.places[at])
        return Post(self.stream, sealed.join(tree.bodies[at], whole))

    def _tree(self, number: int) -> Tree:
        while len(self._trees) <= number:
            start = len(self._trees) * MAX_MESSAGES
            bodies = [post.body for post in self._posts[start : start + MAX_MESSAGES]]
            signed = self._signer.tree(self.stream, bodies, self._mark)
            self._mark = signed.mark
            self._trees.append(Tree(bodies, signed.seal, signed.places))
        return self._trees[number]


def streams_of(posts: Sequence[Post]) -> set[str]:
    """The streams that posts go to."""
    return {posts.stream} if isinstance(posts, Sealing) else {post.stream for post in posts}
