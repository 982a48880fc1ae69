"""Names of tools."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from claude_comm.mcp_server.desk.tool_names import tool_name

_NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True)
_PARTS = st.tuples(_NAMES, _NAMES, st.one_of(st.just(""), st.text(min_size=1, max_size=20)))


def test_a_plain_name_has_its_parts() -> None:
    assert tool_name("prices", "order") == "prices__order"
    assert tool_name("prices", "order", "card") == "prices__order__card"
    assert tool_name("", "order") == "order"


def test_a_name_that_a_client_would_refuse_is_rewritten_and_stays_readable() -> None:
    assert re.fullmatch(r"shop_v2_order_placed___[0-9a-f]{10}", tool_name("shop.v2", "order.placed"))


@given(_PARTS)
def test_every_client_takes_the_name(parts: tuple[str, str, str]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool_name(*parts))


@given(_PARTS, _PARTS)
def test_no_two_messages_share_a_name(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    assert first == second or tool_name(*first) != tool_name(*second)


def test_names_that_are_alike_without_their_separators_differ() -> None:
    alike = [
        ("a_b", "c"),
        ("a", "b_c"),
        ("a__b", "c"),
        ("a", "b__c"),
        ("a.b", "c"),
        ("a", "b.c"),
        ("a_", "b"),
        ("a", "_b"),
    ]
    assert len({tool_name(*parts) for parts in alike}) == len(alike)
