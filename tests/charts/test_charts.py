"""Charts: well-formed XML whatever the text, one mark a value, and pictures that are what they were."""

from __future__ import annotations

import itertools
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.charts import style
from claude_comm.charts.bars import Bar, bars, shortened
from claude_comm.charts.heat import heat_strip, level
from claude_comm.charts.over_time import Series, lines, stacked
from claude_comm.charts.sankey import FlowLink, columns_of, sankey

SNAPSHOTS = Path(__file__).parent / "snapshots"
START_US = 1_790_000_000_000_000
SECOND_US = 1_000_000
HOSTILE = "</svg><script>alert(1)</script>\" onload='x' &amp; \x00\x1b[31m\u202e"


def series(name: str, *values: float | None) -> Series:
    return Series(name, [(START_US + index * SECOND_US, value) for index, value in enumerate(values)])


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def drawings() -> dict[str, str]:
    """One small chart of each kind."""
    return {
        "lines": lines([series("p50", 1, 3, None, 4, 5), series("p99", 90, None, 700, 20, 30)], label="L", log=True),
        "stacked": stacked([series("a", 5, 2, 0), series("b", 1, 1, 4)], label="Throughput"),
        "bars": bars([Bar("too long", 120, "messages", "bad"), Bar("expired", 3)], label="Burials"),
        "heat": heat_strip(
            [[0, 1, 4], [9, 9, 0]], rows=["1 ms", "2 ms"], start_us=START_US, end_us=START_US + 9e6, label="Latency"
        ),
        "sankey": sankey(
            [FlowLink("a", "b", 9), FlowLink("b", "c", 8), FlowLink("c", "a", 1), FlowLink("a", "c", 2)], label="Flow"
        ),
    }


@pytest.mark.parametrize("kind", drawings())
def test_a_chart_is_what_it_was(kind: str) -> None:
    """To take a new picture on purpose: `python -m tests.charts.test_charts`, and look at it."""
    assert drawings()[kind] == (SNAPSHOTS / f"{kind}.svg").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("kind", drawings())
def test_a_chart_is_one_image_with_a_name_and_no_script_or_inline_style(kind: str) -> None:
    root = parsed(drawings()[kind])
    assert (root.tag, root.get("role")) == ("svg", "img")
    assert root.get("aria-label")
    for element in root.iter():
        assert element.tag != "script"
        assert not {name for name in element.attrib if name == "style" or name.startswith("on")}


def test_no_text_of_a_message_becomes_markup() -> None:
    charts = [
        lines([series(HOSTILE, 1, 2)], label=HOSTILE),
        stacked([series(HOSTILE, 1, 2)], label=HOSTILE),
        bars([Bar(HOSTILE, 1, HOSTILE)], label=HOSTILE),
        heat_strip([[1]], rows=[HOSTILE], start_us=0, end_us=1, label=HOSTILE),
        sankey([FlowLink(HOSTILE, "b", 1, HOSTILE)], label=HOSTILE),
    ]
    for chart in charts:
        root = parsed(chart)
        assert not any(element.tag == "script" or "onload" in element.attrib for element in root.iter())
        assert not {"\x00", "\x1b", "\u202e"} & set(chart)


@pytest.mark.long
@given(st.text(max_size=40), st.lists(st.one_of(st.none(), st.floats(0, 1e15)), min_size=1, max_size=12))
def test_any_text_and_values_make_well_formed_charts(name: str, values: list[float | None]) -> None:
    parsed(lines([series(name, *values)], label=name))
    parsed(stacked([series(name, *values)], label=name, unit=str))
    parsed(bars([Bar(name, value or 0.0) for value in values], label=name))


def test_the_names_of_a_flow_do_not_touch() -> None:
    """Two that stand between the same bars share the room, which six units a letter fill at most."""
    names = ["document-scanner", "invoice-extractor-of-november", "general-ledger-writer", "mailer"]
    root = parsed(sankey([FlowLink(a, b, 9) for a, b in pairwise(names)], label="x"))
    drawn = [element for element in root.iter() if element.tag.endswith("text")]
    ends = []
    for element in drawn:
        at, width = float(element.get("x", "0")), 6.0 * len(element.text or "")
        ends.append((at - width, at) if element.get("text-anchor") == "end" else (at, at + width))
    assert len(ends) == len(names)
    assert all(left[1] < right[0] for left, right in pairwise(sorted(ends)))


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    root = parsed(lines([series("a", 1, 2, None, 4, None, 6, 7)], label="x"))
    assert (len(list(root.iter("polyline"))), len(list(root.iter("circle")))) == (2, 1)


def test_areas_stand_on_each_other() -> None:
    first, second = parsed(stacked([series("a", 5, 5), series("b", 5, 5)], label="x")).iter("polygon")
    upper = str(first.get("points")).split()[:2]
    lower = str(second.get("points")).split()[2:]
    assert upper == lower[::-1]


def test_no_series_and_no_rows_are_charts_too() -> None:
    for chart in (lines([], label="x"), stacked([], label="x"), bars([], label="x"), sankey([], label="x"),
                  heat_strip([], rows=[], start_us=0, end_us=0, label="x")):  # fmt: skip
        parsed(chart)


def test_rare_values_stay_visible_beside_frequent_ones() -> None:
    assert [level(count, 10_000) for count in (0, 1, 10_000)] == [0, 1, 8]


def test_modules_stand_in_the_direction_of_most_of_the_flow() -> None:
    chain = [
        FlowLink("sparta", "marker", 10),
        FlowLink("marker", "store", 9),
        FlowLink("store", "sparta", 1),
        FlowLink("web", "store", 3),
    ]
    for order in itertools.permutations(chain):
        columns = columns_of(order)
        at = {name: index for index, column in enumerate(columns) for name in column}
        assert at["sparta"] < at["marker"] < at["store"]
        assert at["web"] < at["store"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(1, 9)), max_size=20))
def test_any_flows_are_drawn_with_every_module_once(pairs: list[tuple[str, str, int]]) -> None:
    flows = [
        FlowLink(*pair) for pair in {(source, target): (source, target, n) for source, target, n in pairs}.values()
    ]
    names = {name for flow in flows if flow.source != flow.target for name in (flow.source, flow.target)}
    root = parsed(sankey(flows, label="x"))
    assert len(list(root.iter("rect"))) == len(names)


def test_a_long_name_loses_its_middle() -> None:
    assert shortened("x" * 30 + "y" * 30, 21) == "x" * 10 + "…" + "y" * 10


def test_every_class_of_a_chart_is_in_the_style_sheet() -> None:
    for chart in drawings().values():
        for element in parsed(chart).iter():
            for name in str(element.get("class") or "").split():
                assert f".{name}" in style.CSS or name in {"lines", "stacked", "bars", "heat", "sankey"}


if __name__ == "__main__":
    for kind, drawing in drawings().items():
        (SNAPSHOTS / f"{kind}.svg").write_text(drawing + "\n", encoding="utf-8")


def test_a_line_may_end_with_a_gap() -> None:
    ends = lines([Series("a", [(0, 1.0), (1, 2.0), (2, None)])], label="l")
    whole = lines([Series("a", [(0, 1.0), (1, 2.0), (2, 3.0)])], label="l")
    assert ends.count("<path") == whole.count("<path")
