"""The frame of a chart over time: grid, ticks, legend, and the scales that its marks are drawn by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.charts import axes, style, svg

WIDTH, HEIGHT = 720.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 12.0, 26.0, 24.0
# Lines of the grid, at most.
_ROWS = 5
# Labels of a time axis need this much room each.
_TICK_WIDTH = 95.0
_SWATCH, _LEGEND_GAP, _LETTER_WIDTH = 9.0, 16.0, 7.2


class Frame(msgspec.Struct, frozen=True):
    """Where marks go: `x` maps microseconds since the epoch, `y` maps values."""

    x: axes.Scale
    y: axes.Scale
    y_label: axes.Label


def time_frame(
    times_us: Sequence[float], values: Sequence[float], *, label: axes.Label = axes.count_label, log: bool = False
) -> Frame:
    """The scales for these times and values; values start at nought, on a logarithmic axis at the lowest above it. A
    linear axis ends at a tick, so that nothing is drawn above the topmost line of the grid."""
    low, high = axes.extent(times_us)
    positive = [value for value in values if value > 0]
    bottom, top = axes.extent(positive) if log else axes.extent(values, floor=0.0)
    if not log:
        top = axes.tick_above(bottom, top, _ROWS)
    x = axes.Scale(low, high, _LEFT, WIDTH - _RIGHT)
    return Frame(x, axes.Scale(bottom, top, HEIGHT - _BOTTOM, _TOP, log), label)


def drawn(frame: Frame) -> list[str]:
    """Grid lines and tick labels of both axes."""
    x, y = frame.x, frame.y
    rows = axes.log_ticks(y.low, y.high) if y.log else axes.ticks(y.low, y.high, _ROWS)
    count = int((x.end - x.start) / _TICK_WIDTH)
    written = axes.time_label(x.low, x.high)
    marks = []
    for value in rows:
        at = y(value)
        marks.append(svg.element("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
        marks.append(svg.text(frame.y_label(value), x.start - 6, at + 3, class_="tick", text_anchor="end"))
    times = axes.time_ticks(x.low, x.high, count)
    below = [svg.text(written(us), x(us), y.start + 16, class_="tick", text_anchor="middle") for us in times]
    return [*marks, *below]


def legend(names: Sequence[str]) -> list[str]:
    """Each series' colour and name, in one row; those that find no room are counted."""
    marks, at = [], _LEFT
    for index, name in enumerate(names):
        width = _SWATCH + 5 + _LETTER_WIDTH * len(name) + _LEGEND_GAP
        if at + width > WIDTH - 70 and index < len(names) - 1:
            marks.append(svg.text(f"and {len(names) - index} more", at, 13, class_="tick"))
            break
        swatch = svg.element("rect", x=at, y=5, width=_SWATCH, height=_SWATCH, rx=2, class_="mark")
        marks.append(svg.element("g", swatch, class_=style.series(index)))
        marks.append(svg.text(name, at + _SWATCH + 5, 13))
        at += width
    return marks
