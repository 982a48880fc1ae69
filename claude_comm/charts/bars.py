"""Horizontal bars: one a category, its name on the left and its value at the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.charts import axes, frame, svg

_ROW, _BAR, _PAD = 24.0, 14.0, 6.0
_NAMES, _VALUES = 240.0, 130.0
# Longer names are cut in the middle: their beginnings and ends tell them apart.
MOST_CHARACTERS = 36


class Bar(msgspec.Struct, frozen=True):
    """`note` is said after the value; `tone` is a class of the style sheet (`s0` to `s7`, `good`, `bad`, `warn`)."""

    name: str
    value: float
    note: str = ""
    tone: str = "s0"


def bars(rows: Sequence[Bar], *, label: str, unit: axes.Label = axes.count_label) -> str:
    """In the order given."""
    height = _PAD * 2 + _ROW * max(1, len(rows))
    scale = axes.Scale(0.0, max((row.value for row in rows), default=0.0) or 1.0, _NAMES, frame.WIDTH - _VALUES)
    marks = [mark for index, row in enumerate(rows) for mark in _row(row, _PAD + index * _ROW, scale, unit)]
    return svg.figure(*marks, width=frame.WIDTH, height=height, label=label, kind="bars")


def shortened(name: str, limit: int = MOST_CHARACTERS) -> str:
    """The name with its middle left out where it is longer than `limit` characters."""
    half = (limit - 1) // 2
    return name if len(name) <= limit else f"{name[:half]}…{name[-half:]}"


def _row(row: Bar, top: float, scale: axes.Scale, unit: axes.Label) -> list[str]:
    middle = top + _ROW / 2
    said = f"{unit(row.value)} {row.note}".strip()
    title = svg.title(f"{row.name}: {said}")
    end = scale(row.value)
    bar = svg.element(
        "rect", title, x=_NAMES, y=middle - _BAR / 2, width=max(1.0, end - _NAMES), height=_BAR, rx=2, class_="mark"
    )
    return [
        svg.text(shortened(row.name), _NAMES - 8, middle + 4, text_anchor="end"),
        svg.element("g", bar, class_=row.tone),
        svg.text(said, end + 6, middle + 4, class_="tick"),
    ]
