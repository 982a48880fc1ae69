"""A pattern as Python has to be given it: every kind of node is written, and finds what ECMA-262 finds."""

from __future__ import annotations

import re

import pytest

from claude_comm.schema.regex import compile, parser
from claude_comm.schema.regex.errors import NotRegular
from claude_comm.schema.regex.python_source import python_source


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("^(a|bc)$", ["a", "bc"], ["b", "abc", "a\n"]),
        ("^a(?=b)", ["ab"], ["a", "ac"]),
        ("^(?!b)", ["", "a"], ["b"]),
        ("(?<=a)b(?<!c)$", ["ab"], ["b", "cb"]),
        (r"^[\s\S]$", ["\n", "x", "\U0001f600"], ["", "xy"]),
        ("^[\uffff-\U00010000]$", ["\uffff", "\U00010000"], ["\ufffe", "\U00010001", "\u1000"]),
        (r"^\bé?a\B", ["ab"], ["a", "éab"]),
        (r"^a{2,}$", ["aa", "aaa"], ["a"]),
    ],
)
def test_every_kind_of_node_is_written(pattern: str, found: list[str], not_found: list[str]) -> None:
    written = re.compile(python_source(pattern))
    assert all(written.search(text) for text in found)
    assert not any(written.search(text) for text in not_found)


def test_a_look_is_never_written_as_a_term_without_looks() -> None:
    with pytest.raises(NotRegular, match="not followed up"):
        compile._without_looks(parser.parse("(?=a)", reading="ecma"))
