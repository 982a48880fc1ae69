"""Addresses: what is read from them, and how they are written."""

from __future__ import annotations

from claude_comm.gateway.dashboard.query import PageAddress, link


def test_what_cannot_be_read_counts_as_not_given() -> None:
    query = PageAddress(
        "/ui/x", {"after": "-1", "big": "9" * 40, "odd": "١٢", "range": "1y", "sort": "up", "flag": "yes"}
    )
    assert [query.number(name) for name in ("after", "big", "odd", "none")] == [0, 0, 0, 0]
    assert (query.range_s(), query.choice("sort", ("name", "age")), query.flag("flag")) == (0, "name", False)
    assert query.range_s("1h") == 3_600, "a range that is none is the default"


def test_an_address_keeps_the_other_filters() -> None:
    query = PageAddress("/ui/messages", {"failed": "1", "source": "a b"})
    assert query.here(after=7) == "/ui/messages?failed=1&source=a+b&after=7"
    assert query.here(failed="", after=0) == "/ui/messages?source=a+b"


def test_parts_of_a_path_are_quoted() -> None:
    assert link("sessions", "a/b?c#d") == "/ui/sessions/a%2Fb%3Fc%23d"
    assert link("dead", "m", path="$.a", failed=True) == "/ui/dead/m?path=%24.a&failed=1"
