"""What a search for a pattern may cost: counted by the paths that a text has, and by the texts that a pattern meets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.schema import Incompatible, check
from claude_comm.schema.cost import backtracking
from claude_comm.schema.cost.pattern_cost import searchable
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.regex import parser
from tests.support.examples import examples
from tests.support.walker import TOO_MUCH, Walker

SEMVER = (
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
)
EMAIL = (
    r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
)
HOSTNAME = (
    r"^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9])$"
)
SLUG = "^[a-z0-9]+(?:-[a-z0-9]+)*$"
WRITTEN = {"semver": SEMVER, "e-mail": EMAIL, "hostname": HOSTNAME, "slug": SLUG}


def patterns() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["a", "b", "[ab]", ".", "[^a]", "^", "$", "", "a?", "(?=a)", "(?!ab)"])

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        bounds = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?"])
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
            st.tuples(inner, bounds).map(lambda two: f"(?:{two[0]}){two[1]}"),
        )

    return st.recursive(atoms, grown, max_leaves=6)


@given(patterns(), st.text("ab", max_size=7))
@settings(max_examples=examples(400), deadline=None)
def test_no_search_takes_more_steps_than_were_counted(source: str, text: str) -> None:
    tree = parser.parse(source, reading="runtime")
    try:
        walked = Walker(text).search(tree)
    except OverflowError:
        walked = TOO_MUCH
    assert backtracking.by_paths(tree, text, 10 * TOO_MUCH) >= walked
    assert backtracking.steps(source, text, 10 * TOO_MUCH) >= walked


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("text", ["some.person@example.com", "1.2.3-alpha.1+build.5", "a" * 200, "a-b" * 50])
def test_what_people_write_is_searched_in_the_texts_that_people_write(kind: str, text: str) -> None:
    assert backtracking.steps(WRITTEN[kind], text, 1_000_000) < 100_000


DOUBLING = {"^(a+)+$": "a", "^(a|a)*$": "a", r"^(\d+)*$": "1\u0663", "(x+x+)+y": "x", r"^(\w+.)+\d$": "ax1\u0663"}


@pytest.mark.parametrize(("source", "doubling"), DOUBLING.items())
@pytest.mark.parametrize("char", ["a", "x", "1", "\u0663", "-"])
def test_what_doubles_is_counted_as_that(source: str, doubling: str, char: str) -> None:
    """Also where only the second validator takes the character: its digits are those of every script."""
    assert (backtracking.steps(source, char * 60, 1_000_000) > 1_000_000) == (char in doubling)


def test_a_pattern_is_measured_by_the_texts_that_it_meets() -> None:
    schema = {"properties": {"slug": {"pattern": SLUG}}, "patternProperties": {"^(a+)+$": True}}
    document = normalise(schema, DEFAULT)
    assert searchable(document, {"slug": "a-b", "text": "a" * 10_000}, lambda: None)
    assert not searchable(document, {"slug": "a-b", "a" * 60: 1}, lambda: None)


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_long_name_elsewhere_in_the_witness_leaves_it_a_witness(kind: str) -> None:
    produced = {
        "type": "object",
        "properties": {"identification": {"type": "integer"}, "value": {"pattern": WRITTEN[kind], "type": "string"}},
        "required": ["identification", "value"],
    }
    accepted = {"properties": {"identification": {"type": "string"}, "value": {"pattern": WRITTEN[kind]}}}
    assert isinstance(check(produced, accepted), Incompatible)
