"""Posts for one stream that are sealed when somebody takes them: while the server works on those before.

Law: to whoever has it, it is the posts with their seals. What was sealed stays as it is, so that a post that is sent
again carries the same seal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from claude_comm.effects import Post
from claude_comm.security import sealed
from claude_comm.security.signing import MAX_LEAVES, Signer

# About as many as travel together, in whole trees.
_AT_ONCE = 4 * MAX_LEAVES


class Sealing(Sequence[Post]):
    """Posts that all go to `stream`, none of them sealed yet."""

    def __init__(self, signer: Signer, stream: str, posts: Sequence[Post]) -> None:
        self._signer, self.stream, self._posts = signer, stream, posts
        self._sealed: list[Post] = []

    def __len__(self) -> int:
        return len(self._posts)

    @overload
    def __getitem__(self, place: int) -> Post: ...

    @overload
    def __getitem__(self, place: slice) -> list[Post]: ...

    def __getitem__(self, place: int | slice) -> Post | list[Post]:
        if isinstance(place, slice):
            _, end, step = place.indices(len(self._posts))
            self._seal(end if step > 0 else len(self._posts))
        else:
            self._seal(place + 1 if place >= 0 else len(self._posts))
        return self._sealed[place]

    def _seal(self, end: int) -> None:
        """Seals those before that place."""
        while len(self._sealed) < min(end, len(self._posts)):
            start = len(self._sealed)
            bodies = [post.body for post in self._posts[start : start + _AT_ONCE]]
            self._sealed += [Post(self.stream, text) for text in sealed.join_all(self._signer, self.stream, bodies)]


def streams_of(posts: Sequence[Post]) -> set[str]:
    """The streams that posts go to."""
    return {posts.stream} if isinstance(posts, Sealing) else {post.stream for post in posts}
