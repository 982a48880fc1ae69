"""Results as a table and as a plot, in `benchmarks/results/`, and as lines on the terminal."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.side_by_side import Figure, Result

FOLDER = Path(__file__).parent / "results"


def table(result: Result) -> str:
    """Markdown: median, spread, and the ratio to the first way, pair by pair."""
    baseline = result.figures[0].name
    lines = [f"## {result.title}", ""]
    lines += [result.note, ""] if result.note else []
    lines += [f"| | {result.unit} (median) | min to max | ratio to the first |", "| --- | ---: | ---: | ---: |"]
    lines += [_row(result, figure, baseline) for figure in result.figures]
    return "\n".join(lines) + "\n"


def write(results: Sequence[Result], *, folder: Path = FOLDER) -> list[Path]:
    """The table of each result in its own file and, where matplotlib is installed, its plot beside it."""
    folder.mkdir(exist_ok=True)
    written = []
    for result in results:
        path = folder / f"{_slug(result.title)}.md"
        path.write_text(f"{table(result)}\n{machine()}\n", encoding="utf-8")
        written.append(path)
        if importlib.util.find_spec("matplotlib") is not None:
            written.append(_plot(result, path.with_suffix(".svg")))
    return written


def _slug(title: str) -> str:
    """A file's name: two results with one would be one file."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def machine() -> str:
    """What the figures were taken on: they move with it, the ratios less."""
    return (
        f"Python {platform.python_version()} on {sys.platform}, {os.cpu_count()} cores (shared with other work); "
        "absolute figures move with the machine, the ratios of one run are what counts."
    )


def _row(result: Result, figure: Figure, baseline: str) -> str:
    low, high = min(figure.rounds), max(figure.rounds)
    ratio = f"{result.ratio(figure.name, baseline):.2f}" if all(result[baseline].rounds) else "-"
    return f"| {figure.name} | {_number(figure.median)} | {_number(low)} to {_number(high)} | {ratio} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plot(result: Result, path: Path) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    mpl.rcParams["svg.hashsalt"] = "claude-comm"  # the same figures draw the same file
    canvas = Canvas(figsize=(9, 0.45 * len(result.figures) + 1.2), layout="constrained")
    axes = canvas.subplots()
    figures = list(reversed(result.figures))
    medians = [figure.median for figure in figures]
    spread = [
        [figure.median - min(figure.rounds) for figure in figures],
        [max(figure.rounds) - figure.median for figure in figures],
    ]
    colours = ["#c15f3c" if figure.name.startswith("claude-comm") else "#8a8f98" for figure in figures]
    axes.barh([figure.name for figure in figures], medians, xerr=spread, color=colours, ecolor="#444444")
    axes.set_title(result.title)
    axes.set_xlabel(f"{result.unit}: median, and the range of the rounds")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})
    return path
