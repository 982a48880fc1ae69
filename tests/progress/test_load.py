"""Rates from sums: what there is no earlier sample of has none."""

from __future__ import annotations

from claude_comm.progress.load import Backlog, LoadSample, PairSums, hop_loads, module_loads, ordered

BEFORE = LoadSample(10.0, {("a", "b"): PairSums(100, 90, 2, 900_000), ("b", "topic:t"): PairSums(5)})
NOW = LoadSample(
    12.0, {("a", "b"): PairSums(120, 100, 6, 1_000_000, 3), ("b", "topic:t"): PairSums(9), ("b", "c"): PairSums(0, 4)}
)


def test_rates_are_differences_over_the_time_between() -> None:
    loads = {load.module: load for load in module_loads(BEFORE, NOW, {"b": Backlog(7, 1, 2)})}
    b = loads["b"]
    assert (b.handled_per_s, b.sent_per_s, b.failed_per_s, b.mean_ms) == (5.0, 2.0, 2.0, 10.0)
    assert (b.failed, b.retrying, b.backlog) == (6, 3, Backlog(7, 1, 2))
    assert loads["a"].sent_per_s == 10.0


def test_the_first_sample_has_no_rates() -> None:
    loads = module_loads(None, NOW, {})
    assert {load.handled_per_s for load in loads} == {None}
    assert {load.mean_ms for load in loads} == {None}


def test_sums_that_shrank_have_no_rate() -> None:
    """The projection was made anew."""
    assert {load.module: load.handled_per_s for load in module_loads(NOW, LoadSample(13.0, BEFORE.pairs), {})}[
        "b"
    ] is None


def test_topics_are_no_modules_and_who_lives_is_one() -> None:
    assert {load.module for load in module_loads(BEFORE, NOW, {"idle": Backlog()})} == {"a", "b", "c", "idle"}


def test_the_slowest_hop_of_those_that_are_active_comes_first() -> None:
    hops = hop_loads(BEFORE, NOW)
    assert [(hop.source, hop.target, hop.mean_ms) for hop in hops] == [("a", "b", 10.0), ("b", "c", 0.0)]


def test_modules_are_ordered_by_what_is_asked_for() -> None:
    loads = module_loads(BEFORE, NOW, {"b": Backlog(7, 1, 2)})
    assert next(load.module for load in ordered(loads, "lag")) == "b"
    assert next(load.module for load in ordered(loads, "sent")) == "a"
    assert [load.module for load in ordered(loads, "module")] == ["a", "b", "c"]
