"""Tables fit the terminal: one line a row, whole ids, and the least important column goes first."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from claude_comm.terminal.tables import GAP, Column, cut_names, fit, numbers, table

ID = "0192f0c0-7a"
COLUMNS = [*numbers("count"), Column("module"), Column("why", least=20), Column("when", "whole", rank=1), "id"]
LAYOUT = [Column(column, "whole") if isinstance(column, str) else column for column in COLUMNS]
ROWS = [["7", "invoice-extractor", "ValueError: " + "the total is not a number " * 9, "09:30:00", ID]] * 20


def shown(layout: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width).print(table(layout, rows, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_row_is_one_line_that_fits_and_its_id_is_whole(width: int) -> None:
    head, *lines = shown(LAYOUT, ROWS, width)
    assert len(lines) == len(ROWS)
    assert all(len(line.rstrip()) <= width for line in [head, *lines])
    assert all(line.rstrip().endswith(ID) for line in lines)


def test_a_narrow_terminal_leaves_out_what_matters_least() -> None:
    assert "when" not in shown(LAYOUT, ROWS, 50)[0]
    assert "when" in shown(LAYOUT, ROWS, 120)[0]


def test_a_wider_terminal_shows_more_of_a_text() -> None:
    narrow, wide = (shown(LAYOUT, ROWS, width)[1] for width in (80, 160))
    assert "…" in narrow
    assert wide.count("the total") > narrow.count("the total")


def test_a_column_that_nobody_fills_is_left_out() -> None:
    assert shown([Column("a"), Column("b")], [["x", ""], ["y", ""]], 80)[0].split() == ["a"]


def test_a_column_that_wraps_loses_nothing() -> None:
    words = "one two three four five six seven eight nine ten"
    lines = shown([Column("id", "whole"), Column("reason", "wrap", least=10)], [[ID, words]], 30)
    assert len(lines) > 2
    assert [word for line in lines[1:] for word in line.replace(ID, "").split()] == words.split()


def test_text_that_looks_like_markup_is_text() -> None:
    assert "[red]x[/red]" in shown([Column("a")], [["[red]x[/red]"]], 80)[1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30), st.integers(0, 90)), min_size=1, max_size=9),
    st.integers(20, 200),
)
def test_whatever_the_columns_none_is_wider_than_it_needs_or_than_there_is_room(
    given_columns: list[tuple[int, int, int]], width: int
) -> None:
    columns = [Column(f"c{rank}", rank=rank, least=least) for rank, least, _ in given_columns]
    longest = [needed if needed == 0 else max(needed, 2) for _, _, needed in given_columns]
    fitted = fit(columns, longest, width)
    assert all(0 < width_ <= longest[place] for place, width_ in zip(fitted.places, fitted.widths, strict=True))
    kept = {columns[place].rank for place in fitted.places}
    gone = {columns[place].rank for place in range(len(columns)) if longest[place] and place not in fitted.places}
    assert not gone or min(gone) >= max(kept) or 0 not in gone
    if len(fitted.widths) * (GAP + 1) <= width:
        assert sum(fitted.widths) + GAP * (len(fitted.widths) - 1) <= width


def test_names_that_would_look_alike_are_cut_in_the_middle() -> None:
    names = ["customer-notification-mailer", "customer-notification-archiver", "ledger"]
    lines = shown([Column("module"), Column("id", "whole")], [[name, ID] for name in names], 28)[1:]
    assert [line.split()[0] for line in lines] == ["custome…-mailer", "custome…rchiver", "ledger"]
    lines = shown([Column("module"), Column("id", "whole")], [[name, ID] for name in names[1:]], 28)[1:]
    assert lines[0].split()[0] == "customer-notif…"


def test_names_that_differ_in_their_middle_are_cut_around_it() -> None:
    times = ["030820", "030825", "202242", "202246"]
    names = [f"invoices-2026-11-28.{time}-eu-west-1-nightly-run" for time in times]
    for width in (12, 20, 25):
        cut = cut_names(names, width)
        assert {len(text) for text in cut} == {width}
        assert all(time in text for time, text in zip(times, cut, strict=True))


@given(st.lists(st.from_regex(r"[a-c]{1,12}-[0-9]{1,6}-[a-c]{1,12}", fullmatch=True), min_size=1), st.integers(8, 40))
def test_no_name_is_wider_than_its_column(names: list[str], width: int) -> None:
    cut = cut_names(names, width)
    assert list(cut) == names or all(len(text) <= width for text in cut)
