"""From the tree of a pattern to the term of the whole strings in which it is found.

Law: the term matches a string exactly when a search for the pattern in it succeeds. A look-ahead is an intersection
with all that follows, so it is read with its continuation in hand; a look-behind at the top of a pattern is an
intersection with all that came before. Looks in any other place are `NotRegular`, by caution and not by theory.
"""

from __future__ import annotations

from typing import assert_never

from claude_comm.schema.regex import derivatives, expression
from claude_comm.schema.regex.errors import NotRegular, TooHard
from claude_comm.schema.regex.expression import Term
from claude_comm.schema.regex.parser import Assert, Choice, Look, Node, Repeat, Sequence, Set

# A counted group that holds a look-ahead is written out, so counts in counts multiply; people need a few dozen.
_MAX_COPIES = 1_000
_PLACES = {
    "start": expression.START,
    "end": expression.END,
    "boundary": expression.BOUNDARY,
    "inside": expression.INSIDE,
    "wide boundary": expression.WIDE_BOUNDARY,
    "wide inside": expression.WIDE_INSIDE,
    "word start": expression.WORD_START,
    "word end": expression.WORD_END,
}


def search_language(node: Node) -> Term:
    """All strings with a match of `node` anywhere in them."""
    if _copies(node) > _MAX_COPIES:
        raise TooHard("a look-ahead repeated many times")
    return derivatives.without_end(derivatives.without_start(_search(node)))


def _search(node: Node) -> Term:
    if isinstance(node, Choice):
        return expression.union([_search(option) for option in node.options])
    items = node.items if isinstance(node, Sequence) else (node,)
    before = [expression.ALL]
    for at, item in enumerate(items):
        if isinstance(item, Look) and item.side == "behind":
            seen = expression.concat(expression.ALL, _without_looks(item.body))
            before = [
                expression.intersection(
                    [expression.concat(*before), seen if item.wanted else expression.complement(seen)]
                )
            ]
        elif _has_look(item):
            return expression.concat(*before, _continued(Sequence(items[at:]), expression.ALL))
        else:
            before.append(_without_looks(item))
    return expression.concat(*before, expression.ALL)


def _has_look(node: Node) -> bool:
    match node:
        case Look():
            return True
        case Sequence():
            return any(_has_look(item) for item in node.items)
        case Choice():
            return any(_has_look(option) for option in node.options)
        case Repeat():
            return _has_look(node.item)
        case _:
            return False


def _copies(node: Node) -> int:
    """How often the looks in a tree will be written out."""
    match node:
        case Look():
            return max(_copies(node.body), 1)
        case Sequence():
            return sum(_copies(item) for item in node.items)
        case Choice():
            return sum(_copies(option) for option in node.options)
        case Repeat():
            return _copies(node.item) * (node.minimum + 1 if node.maximum is None else node.maximum)
        case _:
            return 0


def _without_looks(node: Node) -> Term:
    """The term of a tree without looks."""
    match node:
        case Set():
            return expression.chars(node.chars)
        case Assert():
            return _PLACES[node.kind]
        case Sequence():
            return expression.concat(*[_without_looks(item) for item in node.items])
        case Choice():
            return expression.union([_without_looks(option) for option in node.options])
        case Repeat():
            return expression.repeat(_without_looks(node.item), node.minimum, node.maximum)
        case Look():
            raise NotRegular("a look-around in a place where it is not followed up")
        case _:
            assert_never(node)


def _continued(node: Node, rest: Term) -> Term:
    """`node`, then `rest`, where `rest` reaches to the end of the string."""
    if not _has_look(node):
        return expression.concat(_without_looks(node), rest)
    match node:
        case Sequence():
            for item in reversed(node.items):
                rest = _continued(item, rest)
            return rest
        case Choice():
            return expression.union([_continued(option, rest) for option in node.options])
        case Look(side="ahead"):
            ahead = _continued(node.body, expression.ALL)
            return expression.intersection([ahead if node.wanted else expression.complement(ahead), rest])
        case Repeat():
            return _repeated(node, rest)
        case _:
            raise NotRegular("a look-behind inside a group")


def _repeated(node: Repeat, rest: Term) -> Term:
    if node.maximum is None:
        rest = _looping(node.item, rest)
    else:
        for _ in range(node.maximum - node.minimum):
            rest = expression.union([rest, _continued(node.item, rest)])
            # Skipping a turn and skipping all later ones is the same language: each turn may end the repetition.
    for _ in range(node.minimum):
        rest = _continued(node.item, rest)
    return rest


def _looping(item: Node, rest: Term) -> Term:
    """The least solution of X = rest | item X, as a term that holds itself.

    Well founded because `item` consumes a character before X comes again; then Arden's lemma makes it unique.
    """
    if _may_be_empty(item):
        raise NotRegular("an endless repetition of a look-around that may match nothing")
    again = expression.loop(_sees(item) | rest.sees, nullable=rest.nullable)
    expression.bind(again, expression.union([rest, _continued(item, again)]))
    return again


def _may_be_empty(node: Node) -> bool:
    match node:
        case Set():
            return False
        case Sequence():
            return all(_may_be_empty(item) for item in node.items)
        case Choice():
            return any(_may_be_empty(option) for option in node.options)
        case Repeat():
            return node.minimum == 0 or _may_be_empty(node.item)
        case _:
            return True


def _sees(node: Node) -> int:
    match node:
        case Assert():
            return _PLACES[node.kind].sees
        case Sequence():
            return _union(node.items)
        case Choice():
            return _union(node.options)
        case Repeat():
            return _sees(node.item)
        case Look():
            return _sees(node.body)
        case _:
            return 0


def _union(nodes: tuple[Node, ...]) -> int:
    sees = 0
    for node in nodes:
        sees |= _sees(node)
    return sees
