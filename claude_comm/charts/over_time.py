"""Charts over time: lines, and areas that are stacked on each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from claude_comm.charts import axes, frame, style, svg


class Series(msgspec.Struct, frozen=True):
    """One curve: points of time (microseconds since the epoch) and value; None where nothing was measured."""

    name: str
    points: Sequence[tuple[float, float | None]]


def lines(
    series: Sequence[Series], *, label: str, unit: axes.Label = axes.count_label, suffix: str = "", log: bool = False
) -> str:
    """One line a series, broken where nothing was measured; a point on its own is drawn as a dot. `suffix`
    is the unit that a page's script writes after a value."""
    times = [time_us for curve in series for time_us, _ in curve.points]
    values = [value for curve in series for _, value in curve.points if value is not None]
    within = frame.time_frame(times, values, label=unit, log=log)
    marks = [_curve(curve, index, within) for index, curve in enumerate(series)]
    return _figure(marks, series, within, label, "lines", suffix)


def stacked(series: Sequence[Series], *, label: str, unit: axes.Label = axes.count_label) -> str:
    """Areas on each other, the first at the bottom; every series has the same times, and a gap counts as nought."""
    times = [time_us for time_us, _ in series[0].points] if series else []
    below = [0.0] * len(times)
    layers: list[tuple[list[float], list[float]]] = []
    for curve in series:
        above = [base + (value or 0.0) for base, (_, value) in zip(below, curve.points, strict=True)]
        layers.append((below, above))
        below = above
    within = frame.time_frame(times, below, label=unit)
    marks = [
        _area(curve, index, times, *layer, within)
        for index, (curve, layer) in enumerate(zip(series, layers, strict=True))
    ]
    return _figure(marks, series, within, label, "stacked")


def _figure(
    marks: Sequence[str], series: Sequence[Series], within: frame.Frame, label: str, kind: str, suffix: str = ""
) -> str:
    """The scale stands in data attributes too, for the script that tells the values under the pointer."""
    x, y = within.x, within.y
    return svg.figure(
        *frame.drawn(within),
        *marks,
        *frame.legend([curve.name for curve in series]),
        width=frame.WIDTH,
        height=frame.HEIGHT,
        label=label,
        kind=kind,
        data_unit=suffix or None,
        data_x=f"{x.low:.0f} {x.high:.0f} {svg.number(x.start)} {svg.number(x.end)}",
        data_y=f"{y.low:.6g} {y.high:.6g} {svg.number(y.start)} {svg.number(y.end)} {'log' if y.log else 'linear'}",
    )


def _curve(series: Series, index: int, within: frame.Frame) -> str:
    drawn = [svg.title(series.name)]
    for run in _runs(series):
        places = [(within.x(time_us), within.y(value)) for time_us, value in run]
        if len(places) == 1:
            drawn.append(svg.element("circle", cx=places[0][0], cy=places[0][1], r=2.5, class_="mark"))
        else:
            drawn.append(svg.element("polyline", points=svg.points(places), class_="curve"))
    return svg.element("g", *drawn, class_=style.series(index), data_name=series.name)


def _runs(series: Series) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for time_us, value in series.points:
        if value is not None:
            run.append((time_us, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _area(
    series: Series, index: int, times: Sequence[float], below: Sequence[float], above: Sequence[float],
    within: frame.Frame,
) -> str:  # fmt: skip
    upper = [(within.x(time_us), within.y(value)) for time_us, value in zip(times, above, strict=True)]
    lower = [(within.x(time_us), within.y(value)) for time_us, value in zip(times, below, strict=True)]
    polygon = svg.element("polygon", points=svg.points([*upper, *reversed(lower)]), class_="area")
    total = sum(top - bottom for top, bottom in zip(above, below, strict=True))
    title = svg.title(f"{series.name}: {within.y_label(total)} in all")
    return svg.element("g", title, polygon, class_=style.series(index), data_name=series.name)
