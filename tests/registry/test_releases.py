"""Which of several versions messages are meant for, and in what order."""

from __future__ import annotations

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.registry.contracts import contract
from claude_comm.registry.releases import ModuleRecord, decode, encode, release_of


def record(prefers: list[str], *versions: str) -> ModuleRecord:
    """A module whose versions came in this order; each says the same about its order."""
    contracts = [contract("sink", version=version, accepts=True, prefers=prefers) for version in versions]
    return decode("sink", encode(ModuleRecord(module="sink", releases=[release_of(each) for each in contracts])))


@pytest.mark.parametrize(
    ("prefers", "expected"),
    [
        ([], ["2.1.0", "2.0.0", "1.4.0", "1.2.0"]),
        (["^1.2"], ["1.4.0", "1.2.0", "2.1.0", "2.0.0"]),
        (["2.0.0", "~1.2", "*"], ["2.0.0", "1.2.0", "2.1.0", "1.4.0"]),
        (["^9"], ["2.1.0", "2.0.0", "1.4.0", "1.2.0"]),
    ],
)
def test_the_order_is_the_one_that_the_module_states_and_within_it_the_newest_first(
    prefers: list[str], expected: list[str]
) -> None:
    known = record(prefers, "1.2.0", "2.1.0", "1.4.0", "2.0.0")
    running = [release.digest for release in known.releases]
    assert [release.version for release in known.offered(running)] == expected
    assert [release.version for release in known.offered([])] == ["2.1.0"]


def test_the_newest_version_states_the_order() -> None:
    older = contract("sink", version="1.0.0", accepts=True, prefers=["^1"])
    newer = contract("sink", version="2.0.0", accepts=True)
    known = ModuleRecord(module="sink", releases=[release_of(older), release_of(newer)])
    assert [release.version for release in known.offered([older.digest, newer.digest])] == ["2.0.0", "1.0.0"]


def test_an_order_is_no_part_of_what_a_contract_promises() -> None:
    assert contract("sink", accepts=True, prefers=["^1"]).digest == contract("sink", accepts=True).digest
    with pytest.raises(ConfigurationError, match="no version range"):
        contract("sink", accepts=True, prefers=["latest"])
