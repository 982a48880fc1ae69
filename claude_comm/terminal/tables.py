"""Tables that fit a terminal: one line a row, whatever its width.

Law: a row is never broken into lines, except in a column that is asked to wrap. Where the width is short, first the
columns go that may go, the least important first; then texts are cut, the longest first, and end in an ellipsis;
names that would look alike then are cut in the middle, or around the part in which they differ. A column that is
`whole`, or holds numbers, is shown whole: an id that is cut is of no use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeAlias

from claude_comm.terminal.styles import style_of

GAP = 2
# What a text is cut to at most, where there is room for no more: enough to tell names apart.
LEAST_CHARACTERS = 8
# A module, a topic, a session; nothing is said of an empty one.
_NAME = re.compile(r"[\w.:-]*")


class Column(NamedTuple):
    """One column. `rank` 0 stays at any width; of the others the highest goes first. `least` is the width in characters
    below which the column is not cut while another one can go."""

    name: str
    kind: Literal["text", "whole", "number", "wrap"] = "text"
    rank: int = 0
    least: int = LEAST_CHARACTERS


# A column that is only a name is text.
Columns: TypeAlias = Sequence[str | Column]


def numbers(*names: str, rank: int = 0) -> list[Column]:
    """Columns of numbers."""
    return [Column(name, "number", rank) for name in names]


class Fitted(NamedTuple):
    """The columns that are shown, by their place among all, and how wide each is."""

    places: list[int]
    widths: list[int]


def fit(columns: Sequence[Column], longest: Sequence[int], width: int) -> Fitted:
    """Which columns a terminal of this width has room for. `longest` is the width that each would take, its name
    included; 0 leaves a column out."""
    places = [place for place, needed in enumerate(longest) if needed]
    least = [_least(column, needed) for column, needed in zip(columns, longest, strict=True)]
    while len(places) > 1 and _total(places, least) > width:
        going = max(places, key=lambda place: (columns[place].rank, place))
        if not columns[going].rank:
            break
        places.remove(going)
    widths = [least[place] for place in places]
    while _total(range(len(widths)), widths) > width:
        cuttable = [at for at, place in enumerate(places) if columns[place].kind in ("text", "wrap") and widths[at] > 1]
        if not cuttable:
            break
        widths[max(cuttable, key=widths.__getitem__)] -= 1
    return Fitted(places, _shares([longest[place] for place in places], widths, width))


def _least(column: Column, needed: int) -> int:
    return needed if column.kind in ("whole", "number") else min(needed, max(column.least, len(column.name)))


def _total(places: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[place] for place in places) + GAP * (len(places) - 1)


def _shares(longest: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """What is beyond the least of each is shared out in equal parts, to those that still need it."""
    widths = list(least)
    left = width - sum(least) - GAP * (len(least) - 1)
    while left > 0:
        wanting = [place for place, needed in enumerate(longest) if widths[place] < needed]
        if not wanting:
            break
        part = max(left // len(wanting), 1)
        for place in wanting[:left]:
            more = min(part, longest[place] - widths[place])
            widths[place] += more
            left -= more
    return widths


def table(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> Any:
    """A rich table of this width; cells are clean already. Columns that are empty in every row are left out."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    texts = [*zip(*cells, strict=True)] if cells else [()] * len(columns)
    sizes = [max(map(cell_len, column), default=0) for column in texts]
    longest = [max(size, len(column.name)) if size else 0 for column, size in zip(columns, sizes, strict=True)]
    fitted = fit(columns, longest, width)
    made = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold underline")
    for place, column_width in zip(fitted.places, fitted.widths, strict=True):
        column = columns[place]
        wraps = column.kind == "wrap"
        made.add_column(
            column.name,
            justify="right" if column.kind == "number" else "left",
            width=column_width,
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    shown = {
        place: cut_names(texts[place], column_width) if columns[place].kind == "text" and cells else texts[place]
        for place, column_width in zip(fitted.places, fitted.widths, strict=True)
    }
    for at, row in enumerate(cells):
        made.add_row(*(Text(shown[place][at], style_of(columns[place].name, row[place])) for place in fitted.places))
    return made


def cut_names(texts: Sequence[str], width: int) -> Sequence[str]:
    """The names of a column cut to this width: as they are where they differ with their ends cut, else in the middle;
    and where two of them look alike even so, around the part in which they differ."""
    distinct = set(texts)
    long = [text for text in distinct if len(text) > width]
    alike = len({text[: width - 1] for text in distinct}) < len(distinct)
    if not long or not alike or not all(map(_NAME.fullmatch, distinct)):
        return texts
    window = _window(long, width)
    middle = {text: _middle(text, width) for text in long}
    around = {text: _around(text, *window) for text in long}
    best = middle if len(set(middle.values())) >= len(set(around.values())) else around
    return [best.get(text, text) for text in texts]


def _middle(text: str, width: int) -> str:
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def _window(names: Sequence[str], width: int) -> tuple[int, int, int]:
    """How much is kept of the start of these names, and from where to where they are shown after it: what differs, and
    as much before it as after."""
    head = width // 3
    room = width - head - 2
    first = _common(names)
    tail = _common([name[first:][::-1] for name in names])
    differing = max(map(len, names)) - tail - first
    begin = max(head, first - max(0, room - differing) // 2)
    return head, begin, begin + room


def _common(names: Sequence[str]) -> int:
    """How many characters all of these begin with."""
    return sum(1 for _ in takewhile(lambda characters: len(set(characters)) == 1, zip(*names, strict=False)))


def _around(text: str, head: int, begin: int, end: int) -> str:
    return f"{text[:head]}…{text[begin:end]}" + ("…" if end < len(text) else "")
