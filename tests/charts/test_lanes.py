"""Lanes give their width to what happened, and fold the pauses."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from claude_comm.charts.lanes import Mark, busy, lanes

SECOND = 1_000_000


def mark(lane: str, start_s: float, end_s: float, title: str = "t") -> Mark:
    return Mark(lane, int(start_s * SECOND), int(end_s * SECOND), title)


def test_an_hour_of_waiting_is_folded() -> None:
    marks = [mark("a", 0, 1), mark("b", 0.5, 2), mark("a", 3_602, 3_603)]
    assert busy(marks) == [(0, 2 * SECOND), (3_602 * SECOND, 3_603 * SECOND)]
    drawn = lanes(marks, label="x")
    assert "1 h in which nothing happened" in drawn
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="12"', drawn)]
    assert min(widths) > 100, "each second of work has room, whatever the pause"


def test_short_pauses_stay() -> None:
    assert busy([mark("a", 0, 10), mark("a", 10.4, 20)]) == [(0, 20 * SECOND)]


def test_lanes_stand_in_the_order_of_their_first_mark_and_every_text_is_escaped() -> None:
    drawn = lanes([mark("late", 2, 3), mark("<b>", 1, 2, "<script>")], label="x & y")
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter("text")]
    assert texts[:2] == ["<b>", "late"]
    assert "<script>" not in drawn


def test_a_single_moment_and_one_that_ends_before_it_began_are_drawn() -> None:
    assert 'class="mark"' in lanes([mark("a", 1, 1)], label="x")
    assert 'class="mark"' in lanes([mark("a", 5, 1)], label="x")
