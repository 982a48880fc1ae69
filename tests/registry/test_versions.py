"""Versions are ordered as semver.org says, and lie in ranges."""

from __future__ import annotations

import itertools

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.registry.versions import check_range, check_version, precedence, within

# Section 11 of the specification, and what it leaves out of a version.
ORDER = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
         "1.0.0", "1.0.1", "1.2", "1.10.0", "2"]  # fmt: skip


def test_versions_are_ordered_by_the_specification() -> None:
    for lower, higher in itertools.combinations(ORDER, 2):
        assert precedence(lower) < precedence(higher)
    assert precedence("1") == precedence("1.0.0+build.7")


@pytest.mark.parametrize("odd", ["", "v1", "1.0.0.0", "01.0.0", "1.0-", "one", 1, "1." + "0" * 80])
def test_what_is_no_version_is_refused(odd: object) -> None:
    with pytest.raises(ConfigurationError, match="version"):
        check_version(odd)


@pytest.mark.parametrize(
    ("version", "wanted", "holds"),
    [
        ("1.4.0", ">=1.2, <2", True), ("2.0.0", ">=1.2, <2", False), ("1.9.9", "^1.2", True), ("2.0.0", "^1.2", False),
        ("0.3.0", "^0.2.1", False), ("0.2.7", "^0.2.1", True), ("1.2.9", "~1.2.3", True), ("1.3.0", "~1.2.3", False),
        ("1.2.0", "1.2", True), ("1.2.1", "==1.2", False), ("9", "*", True), ("9", "", True),
        ("1.0.0", ">1.0.0", False), ("1.0.1", ">1.0.0", True), ("1.0.0", "<=1.0.0", True), ("1.0.1", "<=1.0.0", False),
    ],
)  # fmt: skip
def test_a_range_holds_what_it_says(version: str, wanted: str, holds: bool) -> None:
    assert within(version, wanted) is holds


def test_what_is_no_range_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="range"):
        within("1.0.0", "about 1")


@pytest.mark.parametrize("odd", [7, None, "about 1", "1, x"])
def test_a_range_is_checked_where_it_is_written(odd: object) -> None:
    with pytest.raises(ConfigurationError, match="version range"):
        check_range(odd)
    assert check_range(">=1.2, <2") == ">=1.2, <2"


def test_what_is_no_version_comes_before_all_that_are() -> None:
    assert precedence("one") < precedence("0.0.0-a")
