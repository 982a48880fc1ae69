"""What a search for one pattern in one text may cost an engine that backtracks.

Law: an upper bound on the steps of such an engine, in whichever dialect it reads the pattern, found in time that the
bound itself bounds. An engine without memory walks every path that the pattern has through the text, until one path
succeeds; so the paths are counted, all of them.

Theory of operation. `by_choices` needs the length of the text alone: choices multiply along a sequence, and are taken
to the power in a loop. That settles most patterns, and is far too much for a pattern of many optional parts (semantic
versions, e-mail addresses), most of whose paths no text has room for. `by_paths` counts the paths that a text really
has. It carries, through the tree of the pattern, for each position of the text how many paths have come there; that is
linear, so that all starts of a search are counted in one pass: a set of characters moves paths by one position, and
ends those whose character is another; a choice adds up what its options make of them; a loop adds up its turns. Each
time that a path is carried over a character is a step.

Worked example: `^(a|b?c)*$` in `acac`. The search starts at 5 positions, of which `^` keeps one. The paths at 0 are
carried to 1 by `a`; `b?c` tries `c` there with and without `b`, and fails. The turns go on like this, one path a turn,
so the count is about 5 steps a turn and 25 in all. By choices it would be 4 turns, each with 3 ways to go on, from each
of the positions: hundreds of times as many.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import assert_never

from claude_comm.schema.regex import charset, parser
from claude_comm.schema.regex.errors import LanguageError

# What is more is not counted further.
ENOUGH = 1_000_000_000
# Positions that a count of paths touches at most: about 0.1 s.
MAX_TOUCHED = 200_000

# How many paths have come to a position of the text.
Paths = dict[int, int]


def steps(source: str, text: str, limit: int) -> int:
    """The steps that a backtracking search for `source` in `text` may take; past `limit`, only some number above it."""
    tree = _tree(source)
    if tree is None:
        # Back-references and the like: by the doors that the pattern leaves open, whatever they lead to.
        doors = 2 * len(text) + source.count("?") + source.count("|") + (60 if "{" in source else 0)
        return 1 << min(doors, 60)
    bound = by_choices(source, len(text))
    return bound if bound <= limit else by_paths(tree, text, limit)


# A message is put to both sides, and most patterns are the same there.
@functools.lru_cache(maxsize=1024)
def by_choices(source: str, length: int) -> int:
    """The steps in any text of that length, at most; `ENOUGH` where that is more."""
    tree = _tree(source)
    # As many starts as positions, on each path as many characters, and a margin of as much again for turns that fail.
    return ENOUGH if tree is None else min((length + 2) ** 3 * _ways(tree, length), ENOUGH)


def by_paths(tree: parser.Node, text: str, limit: int) -> int:
    """The steps in this text, at most; beyond `limit` only some number above it."""
    if len(text) > MAX_TOUCHED:
        return ENOUGH
    count = _Count(text, limit)
    try:
        count.through(tree, dict.fromkeys(range(len(text) + 1), 1))
    except _Enough:
        return ENOUGH
    return count.steps


@functools.lru_cache(maxsize=256)
def _tree(source: str) -> parser.Node | None:
    try:
        # The reading in which a dot matches most.
        return parser.parse(source, reading="runtime")
    except LanguageError:
        return None


def _ways(node: parser.Node, length: int) -> int:
    """The ways to match one place of a string: choices multiply in a sequence, and are taken to the power in a loop."""
    match node:
        case parser.Sequence(items=items):
            return min(math.prod(_ways(item, length) for item in items), ENOUGH)
        case parser.Choice(options=options):
            return sum(_ways(option, length) for option in options)
        case parser.Look(body=body):
            return _ways(body, length)
        case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
            # One turn more is tried at the end; those that must be may all match nothing.
            turns = max(length, minimum) + 1 if maximum is None else min(maximum, max(length, minimum) + 1)
            branching = _branching(item)
            if branching == 1:
                return max(1, turns - minimum + 1)
            # Beyond 64 doublings nobody counts.
            doubled: int = branching ** min(turns, 64)
            return min(doubled, ENOUGH)
    return 1


def _branching(node: parser.Node) -> int:
    """The ways to go on at each turn of a loop around `node`; a loop inside may end or go on at each character."""
    match node:
        case parser.Sequence(items=items):
            return math.prod(map(_branching, items))
        case parser.Choice(options=options):
            return sum(map(_branching, options))
        case parser.Look(body=body):
            return _branching(body)
        case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
            return _branching(item) * (1 if minimum == maximum and _branching(item) == 1 else 2)
    return 1


class _Enough(Exception):
    """More steps than anybody asked for, or a count that takes too long itself."""


class _Count:
    """The paths of one search in one text."""

    def __init__(self, text: str, limit: int) -> None:
        self.text, self.limit = text, limit
        self.steps = self.touched = 0
        self.members: dict[parser.Set, dict[str, bool]] = {}

    def through(self, node: parser.Node, paths: Paths) -> Paths:
        """Where the paths are once they have gone through `node`."""
        match node:
            case parser.Set():
                return self.over(node, paths)
            case parser.Sequence(items=items):
                for item in items:
                    if not paths:
                        break
                    paths = self.through(item, paths)
                return paths
            case parser.Choice(options=options):
                return _joined(self.through(option, paths) for option in options)
            case parser.Repeat():
                return self.repeated(node, paths)
            case parser.Assert(kind=kind):
                self.spend(paths)
                return {at: count for at, count in paths.items() if self.stands(kind, at)}
            case parser.Look(side=side, body=body):
                # It is left as soon as it has matched, and the search goes on from where it began. What looks behind
                # begins somewhere before.
                behind = dict.fromkeys(range(len(self.text) + 1), sum(paths.values()))
                self.through(body, paths if side == "ahead" else behind)
                return paths
            case _:
                assert_never(node)

    def over(self, node: parser.Set, paths: Paths) -> Paths:
        self.spend(paths)
        members = self.members.setdefault(node, {})
        moved: Paths = {}
        for at, count in paths.items():
            if at >= len(self.text):
                continue
            char = self.text[at]
            if char not in members:
                members[char] = _may_hold(node, char)
            if members[char]:
                moved[at + 1] = count
        return moved

    def repeated(self, node: parser.Repeat, paths: Paths) -> Paths:
        left: list[Paths] = []
        turns = 0
        while paths:
            if turns >= node.minimum:
                left.append(paths)
            if node.maximum is not None and turns >= node.maximum:
                break
            paths, idle = self.turn(node.item, paths)
            if turns < node.minimum:
                paths = _joined((paths, idle))
            elif idle:
                # No engine takes another turn after one that has matched nothing.
                left.append(idle)
            turns += 1
        return _joined(left)

    def turn(self, item: parser.Node, paths: Paths) -> tuple[Paths, Paths]:
        """One turn: the paths that have moved, and those that have not."""
        if not may_be_empty(item):
            return self.through(item, paths), {}
        moved, idle = list[Paths](), Paths()
        for at, count in paths.items():
            after = self.through(item, {at: count})
            if at in after:
                idle[at] = after.pop(at)
            moved.append(after)
        return _joined(moved), idle

    def stands(self, kind: str, at: int) -> bool:
        """Whether a place may be of a kind, for some engine."""
        if kind == "start":
            return at == 0
        rest = len(self.text) - at
        # Python's `$` also stands before a line break at the end.
        return rest == 0 or (rest == 1 and self.text[at] == "\n") if kind == "end" else True

    def spend(self, paths: Paths) -> None:
        self.touched += len(paths)
        self.steps += sum(paths.values())
        if self.steps > self.limit or self.touched > MAX_TOUCHED:
            raise _Enough


def may_be_empty(node: parser.Node) -> bool:
    """Whether a tree may match without a character."""
    match node:
        case parser.Set():
            return False
        case parser.Sequence(items=items):
            return all(map(may_be_empty, items))
        case parser.Choice(options=options):
            return any(map(may_be_empty, options))
        case parser.Repeat(item=item, minimum=minimum):
            return minimum == 0 or may_be_empty(item)
    return True


def _joined(parts: Iterable[Paths]) -> Paths:
    joined: Paths = {}
    for part in parts:
        for at, count in part.items():
            joined[at] = joined.get(at, 0) + count
    return joined


def _may_hold(node: parser.Set, char: str) -> bool:
    """Whether some engine takes the character: they differ on classes beyond ASCII, and on control characters."""
    if charset.contains(node.chars, ord(char)):
        return True
    return charset.count(node.chars) > 1 and not " " <= char <= "~"
