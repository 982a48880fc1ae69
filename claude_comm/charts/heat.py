"""A heat strip: how many values fell into each class of size, over time. The denser, the more opaque.

The classes of a latency strip are powers of ten divided into 1, 2 and 5; a strip shows what an average hides, such as
two groups of durations side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from claude_comm.charts import axes, frame, svg

_ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 16.0, 56.0, 12.0, 6.0, 22.0
# Cells of one density are one path: a strip of a thousand cells stays below 20 KB.
_LEVELS = 8


def heat_strip(
    counts: Sequence[Sequence[int]], *, rows: Sequence[str], start_us: float, end_us: float, label: str
) -> str:
    """`counts[row][column]`, the first row at the bottom; the columns divide the time from start to end evenly."""
    columns = len(counts[0]) if counts else 0
    height = _TOP + _ROW * len(counts) + _BOTTOM
    x = axes.Scale(start_us, end_us, _LEFT, frame.WIDTH - _RIGHT)
    tops = [height - _BOTTOM - _ROW * (index + 1) for index in range(len(counts))]
    names = [
        svg.text(name, _LEFT - 6, top + 12, class_="tick", text_anchor="end")
        for name, top in zip(rows, tops, strict=True)
    ]
    cells = svg.element("g", *_levels(counts, tops, (x.end - x.start) / max(1, columns)), class_="s0")
    written, room = axes.time_label(start_us, end_us), int((x.end - x.start) / 95)
    times = [
        svg.text(written(time_us), x(time_us), height - 6, class_="tick", text_anchor="middle")
        for time_us in axes.time_ticks(start_us, end_us, room)
    ]
    return svg.figure(*names, cells, *times, width=frame.WIDTH, height=height, label=label, kind="heat")


def level(count: int, most: int) -> int:
    """How dense a cell is drawn, 0 (empty) to 8; the square root keeps rare values visible beside frequent ones."""
    return max(1, round(_LEVELS * (count / most) ** 0.5)) if count else 0


def _levels(counts: Sequence[Sequence[int]], tops: Sequence[float], width: float) -> list[str]:
    most = max((count for row in counts for count in row), default=0) or 1
    runs: dict[int, list[tuple[str, *tuple[float, ...]]]] = {}
    for row, top in zip(counts, tops, strict=True):
        column = 0
        for density, cells in groupby(level(count, most) for count in row):
            length = len(list(cells))
            if density:
                runs.setdefault(density, []).extend(_rectangle(_LEFT + column * width, top, length * width))
            column += length
    return [
        svg.element("path", d=svg.path(run), class_="mark", fill_opacity=0.1 + 0.9 * density / _LEVELS)
        for density, run in sorted(runs.items())
    ]


def _rectangle(left: float, top: float, width: float) -> list[tuple[str, *tuple[float, ...]]]:
    return [("M", left, top), ("h", width), ("v", _ROW - 1), ("h", -width), ("z",)]
