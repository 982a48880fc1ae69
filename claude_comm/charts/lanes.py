"""Lanes: what happened when, one lane a module; times in which nothing happened are folded.

Law: the width of the picture goes to what happened. A pause that is longer than a twentieth of all the busy time takes
the room of a fold, and the fold says how long it was; so an hour of waiting never presses a second of work into a dot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from claude_comm.charts import axes, frame, svg
from claude_comm.charts.bars import shortened

_ROW, _BAR, _NAMES, _RIGHT, _TOP, _BOTTOM, _FOLD = 26.0, 12.0, 130.0, 12.0, 8.0, 26.0, 26.0
_MAX_NAME = 19
# A mark has to be seen, and a pause between two marks must be worth a fold.
_MIN_WIDTH, _PAUSE_SHARE, _MIN_PAUSE_US = 2.5, 1 / 20, 1_000_000


class Mark(msgspec.Struct, frozen=True):
    """One thing that went on in a lane between two moments (microseconds); `tone` is a class of the style sheet."""

    lane: str
    start_us: int
    end_us: int
    title: str
    tone: str = "s0"


class _Span(msgspec.Struct, frozen=True):
    """A busy time, and where it stands."""

    start_us: int
    end_us: int
    left: float
    right: float


def lanes(marks: Sequence[Mark], *, label: str) -> str:
    """Lanes stand in the order of their first mark."""
    names = list(dict.fromkeys(mark.lane for mark in sorted(marks, key=lambda mark: mark.start_us)))
    tops = {name: _TOP + index * _ROW for index, name in enumerate(names)}
    height = _TOP + _ROW * max(1, len(names)) + _BOTTOM
    spans = _placed(busy(marks))
    grid = [
        svg.element("line", x1=_NAMES, x2=frame.WIDTH - _RIGHT, y1=top + _ROW - 2, y2=top + _ROW - 2, class_="grid")
        for top in tops.values()
    ]
    texts = [
        svg.text(shortened(name, _MAX_NAME), _NAMES - 8, top + _ROW / 2 + 4, text_anchor="end")
        for name, top in tops.items()
    ]
    drawn = [_mark(mark, tops[mark.lane], spans) for mark in marks]
    return svg.figure(
        *grid, *texts, *drawn, *_folds(spans, height), *_times(spans, height),
        width=frame.WIDTH, height=height, label=label, kind="lanes",
    )  # fmt: skip


def busy(marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """The times in which something went on, without the pauses that are worth a fold."""
    whole: list[tuple[int, int]] = []
    for mark in sorted(marks, key=lambda mark: mark.start_us):
        end_us = max(mark.start_us, mark.end_us)
        if whole and mark.start_us <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end_us))
        else:
            whole.append((mark.start_us, end_us))
    pause_us = max(sum(end - start for start, end in whole) * _PAUSE_SHARE, _MIN_PAUSE_US)
    joined: list[tuple[int, int]] = []
    for start_us, end_us in whole:
        if joined and start_us - joined[-1][1] < pause_us:
            joined[-1] = (joined[-1][0], end_us)
        else:
            joined.append((start_us, end_us))
    return joined


def _placed(times: Sequence[tuple[int, int]]) -> list[_Span]:
    """Each busy time gets room for how long it is, and at least some."""
    room = frame.WIDTH - _RIGHT - _NAMES - _FOLD * (len(times) - 1)
    least = min(24.0, room / max(1, len(times)))
    length = sum(end - start for start, end in times) or 1
    spare = max(0.0, room - least * len(times))
    spans, left = [], _NAMES
    for start_us, end_us in times:
        right = left + least + spare * (end_us - start_us) / length
        spans.append(_Span(start_us, end_us, left, right))
        left = right + _FOLD
    return spans


def _x(time_us: int, spans: Sequence[_Span]) -> float:
    span = next((span for span in spans if time_us <= span.end_us), spans[-1])
    return axes.Scale(span.start_us, max(span.end_us, span.start_us + 1), span.left, span.right)(time_us)


def _mark(mark: Mark, top: float, spans: Sequence[_Span]) -> str:
    left, right = _x(mark.start_us, spans), _x(max(mark.start_us, mark.end_us), spans)
    width = max(_MIN_WIDTH, right - left)
    bar = svg.element(
        "rect", svg.title(mark.title), x=left, y=top + (_ROW - _BAR) / 2, width=width, height=_BAR, rx=2, class_="mark",
        fill_opacity=0.75,
    )  # fmt: skip
    return svg.element("g", bar, class_=mark.tone)


def _folds(spans: Sequence[_Span], height: float) -> list[str]:
    marks = []
    for before, after in pairwise(spans):
        middle = (before.right + after.left) / 2
        said = f"{axes.duration_label((after.start_us - before.end_us) / 1000)} in which nothing happened"
        line = svg.element(
            "line", x1=middle, x2=middle, y1=_TOP, y2=height - _BOTTOM, class_="grid", stroke_dasharray="2 4"
        )
        words = axes.duration_label((after.start_us - before.end_us) / 1000)
        text = svg.text(words, middle, height - 4, class_="tick", text_anchor="middle")
        marks.append(svg.element("g", svg.title(said), line, text))
    return marks


def _times(spans: Sequence[_Span], height: float) -> list[str]:
    """The beginning of the first time, and the end of the last."""
    label = axes.time_label(spans[0].start_us, spans[-1].end_us)
    ends = [(spans[0].start_us, spans[0].left, "start")]
    if spans[-1].end_us > spans[0].start_us:
        ends.append((spans[-1].end_us, spans[-1].right, "end"))
    return [svg.text(label(time_us), x, height - 14, class_="tick", text_anchor=anchor) for time_us, x, anchor in ends]
