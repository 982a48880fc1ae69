"""Long lists of values in `enum`: looked up at run time, with the same answers and the same words."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.schema.containment.check import check
from claude_comm.schema.normalform.validator_dialect import MANY_LISTED
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.values import key
from tests.support.clocks import processor

RECORDS: list[Any] = [{"id": number, "name": f"n{number}"} for number in range(2_000)]
MIXED: list[Any] = [*range(1_000), *map(str, range(1_000))]
# Ten times what it takes: compared one by one, 2,000 of either took fifty times as long.
MOST_MS = 10


@pytest.mark.parametrize("listed", [RECORDS, MIXED, [[number] for number in range(2_000)]])
def test_a_message_of_many_listed_items_is_validated_in_milliseconds(listed: list[Any]) -> None:
    ready = compile_validator({"type": "array", "items": {"enum": listed}})
    with processor(MOST_MS):
        assert ready.accepts([listed[-1], listed[len(listed) // 2 - 1]] * 1_000)
        assert len(ready.validate([*[listed[-1]] * 1_999, None])) == 1


@pytest.mark.parametrize("keyword", ["items", "additionalProperties"])
def test_a_long_list_takes_what_json_schema_calls_equal_and_nothing_else(keyword: str) -> None:
    chance = random.Random(5)
    pool: list[Any] = [None, True, False, 0, 1, 1.5, "", "1", [], [1], [True], {}, {"a": 1}, {"a": 1, "b": [2]}, 2**70]
    pool += [{"a": value} for value in range(60)] + [[value, {"b": value / 2}] for value in range(60)]
    listed = chance.sample(pool, 100)
    ready = compile_validator({keyword: {"enum": listed}})
    looks: list[Any] = [*pool, 0.0, 1.0, False, {"a": True}, {"b": [2.0], "a": 1.0}, {"a": "1"}, float(2**70), [1.0]]
    for value in looks:
        message: Any = [value] if keyword == "items" else {"x": value}
        assert ready.accepts(message) == (key(value) in {key(each) for each in listed}), value


def test_a_refusal_names_the_keyword_the_place_and_the_first_of_the_list() -> None:
    (breach,) = compile_validator({"properties": {"who": {"enum": RECORDS}}}).validate({"who": {"id": -1}})
    assert (breach.path, breach.schema_path, breach.rule) == ("$.who", "/properties/who/enum", "enum")
    assert breach.sentence.startswith('`who` is {"id": -1}; it must be one of {"id": 0, "name": "n0"}, {"id": 1,')
    assert breach.sentence.endswith(", ...")


def test_a_list_that_is_short_or_of_one_scalar_kind_stays_as_it_is() -> None:
    for listed in (RECORDS[:MANY_LISTED], [str(number) for number in range(99)], [number / 2 for number in range(99)]):
        (breach,) = compile_validator({"enum": listed}).validate(None)
        assert breach.rule == "enum"


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
def test_a_verdict_on_long_lists_names_what_is_no_longer_listed(policy: Any) -> None:
    old, new = ({"type": "array", "items": {"enum": listed}} for listed in (RECORDS, RECORDS[1:]))
    verdict: Any = check(old, new, policy=policy)
    assert verdict.witness == [RECORDS[0]]
    assert [(reason.path, reason.schema_path) for reason in verdict.reasons] == [("$[0]", "/items/enum")]
    assert check(new, old, policy=policy).answer == "compatible"
