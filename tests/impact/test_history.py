"""History by shapes: what is proved is true of every message, and what is not is looked at one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis import settings as example_settings

from claude_comm.client.impact import past
from claude_comm.client.impact.past import PastWindow
from claude_comm.envelope import Envelope
from claude_comm.impact import history
from claude_comm.impact.replay import Replay
from claude_comm.impact.sensitive import EVERYTHING, NOTHING
from claude_comm.impact.shapes import DAY_US, Payload, Shapes
from claude_comm.registry.contracts import contract
from claude_comm.schema.evolution.adapter import Adapter, Default, apply
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.store import retention, shapes
from claude_comm.store.database import Database, open_database
from tests.support.examples import examples
from tests.support.facts import START_US, envelope, inbox, page, put

OLD = contract("b", accepts={"message": {"type": "object"}})
VALUES = st.fixed_dictionaries(
    {"n": st.integers(-5, 5)},
    optional={"s": st.text(max_size=3), "l": st.lists(st.integers(0, 3) | st.text(max_size=1), max_size=3)},
)
SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"n": {"maximum": 3}}},
    {"type": "object", "properties": {"n": {"enum": [1, 2, 3]}}},
    {"type": "object", "required": ["s"]},
    {"type": "object", "properties": {"s": {"pattern": "^a*$"}}},
    {"type": "object", "properties": {"l": {"items": {"type": "integer"}, "maxItems": 2}}},
    {"type": "object", "properties": {"n": True}, "additionalProperties": False},
    {"type": "object", "properties": {"l": {"uniqueItems": True}}, "required": ["n"]},
]


@example_settings(max_examples=examples(60))
@given(st.lists(VALUES, min_size=1, max_size=10), st.sampled_from(SCHEMAS), st.booleans())
def test_of_a_clear_shape_every_message_is_accepted(values: list[Any], schema: Any, adapted: bool) -> None:
    adapter = Adapter((Default(name="s", value="a"),)) if adapted else None
    made = Shapes()
    made.absorb([Payload(str(number), number, value) for number, value in enumerate(values)], NOTHING)
    clear = {id(shape) for shape in history.weigh(list(made.by_key.values()), schema, adapter).clear}
    for value in values:
        alone = Shapes()
        alone.absorb([Payload("", 0, value)], NOTHING)
        [key] = alone.by_key
        form = apply(adapter, value) if adapter else value
        assert compile_validator(schema).accepts(form) or id(made.by_key[key]) not in clear


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(tmp_path / "p.db")


def stored(
    database: Database, values: list[Any], *, hidden: Any = NOTHING, first: int = 1, **fields: Any
) -> list[Envelope]:
    sent = [envelope(data=value, **fields) for value in values]
    put(database, page(inbox("b"), *sent, first=first))
    shapes.Folder(database, lambda _flow: hidden).all()
    return sent


def weighed(database: Database, schema: Any, *, since_us: int = 0, most: int = 1_000) -> past.Remembered:
    new = contract("b", accepts={"message": schema})
    flows = shapes.of_target(database, "b", inbox("b").key, since_us=since_us)
    return past.weigh(flows, new, Replay(new, OLD), database, PastWindow(since_us, most))


def failing(found: past.Remembered) -> list[str]:
    return sorted(id_ for evidence in found.evidence.values() for id_ in evidence.failing)


def test_what_the_bounds_prove_is_not_looked_at(database: Database) -> None:
    stored(database, [{"n": number} for number in range(100)])
    found = weighed(database, {"properties": {"n": {"maximum": 99}}})
    assert (found.messages, found.shapes, found.proved, found.replayed, found.unknown) == (100, 1, 1, 0, 0)
    assert found.evidence["a", "message"].fitting == 100


def test_messages_that_fail_are_found_by_id(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(100)] + [{"n": 1, "s": "x"}])
    found = weighed(database, {"properties": {"n": {"maximum": 97}}})
    assert failing(found) == sorted(message.id for message in sent[98:100])
    evidence = found.evidence["a", "message"]
    assert (evidence.fitting, evidence.unknown, found.proved, found.messages) == (99, 0, 1, 101)


def test_the_messages_of_a_rare_shape_are_found_without_a_look_at_the_rest(database: Database) -> None:
    common = [{"n": number} for number in range(300)]
    planted = stored(database, [*common, {"n": 1, "s": "x"}, *common, {"n": 2, "s": "y"}])
    found = weighed(database, {"properties": {"n": True}, "additionalProperties": False})
    assert failing(found) == sorted([planted[300].id, planted[-1].id])
    assert (found.replayed, found.unknown, found.evidence["a", "message"].fitting) == (2, 0, 600)


def test_of_a_common_shape_that_fails_as_a_whole_the_latest_are_named(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)] + [{"m": 1}])
    found = weighed(database, {"required": ["m"]})
    assert failing(found) == sorted(message.id for message in sent[400 - past.SAMPLE : 400])
    left = 400 - past.SAMPLE
    assert (found.replayed, found.alike, found.unknown) == (past.SAMPLE, left, left)
    assert found.evidence["a", "message"].fitting == 1


def test_those_of_a_common_shape_that_fail_for_their_values_are_all_found(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)])
    found = weighed(database, {"properties": {"n": {"not": {"enum": [3, 398, 399]}}}})
    assert failing(found) == sorted(sent[number].id for number in (3, 398, 399))
    assert (found.replayed, found.alike, found.unknown) == (400, 0, 0)


def test_shapes_that_were_folded_before_numbers_were_kept_are_looked_through(database: Database) -> None:
    sent = stored(database, [{"n": 1}, {"n": 2, "s": "x"}])
    with database.write() as writer:
        writer.execute("UPDATE packed_shapes SET numbers = X'90'")
    found = weighed(database, {"properties": {"n": True}, "additionalProperties": False})
    assert (failing(found), found.replayed) == ([sent[1].id], 2)


def test_what_was_pruned_and_is_not_proved_is_unknown(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(100)])
    retention.prune(database, before_us=sent[-1].time + 1)
    assert weighed(database, {"properties": {"n": {"maximum": 99}}}).evidence["a", "message"].fitting == 100
    found = weighed(database, {"properties": {"n": {"maximum": 98}}})
    # The example was the last, and is the one that shows it.
    assert failing(found) == [sent[-1].id]
    assert found.unknown == 100


def test_a_limit_leaves_the_rest_unknown(database: Database) -> None:
    stored(database, [{"n": number} for number in range(100)])
    found = weighed(database, {"properties": {"n": {"not": {"const": 200}, "maximum": 98}}}, most=10)
    assert (found.replayed, found.unknown) == (10, 90)


def test_only_the_days_that_were_asked_for_count(database: Database) -> None:
    day = START_US // DAY_US * DAY_US
    stored(database, [{"n": 500}], time=day)
    stored(database, [{"n": 1}, {"n": 2}], time=day + 2 * DAY_US, first=10)
    found = weighed(database, {"properties": {"n": {"maximum": 10}}}, since_us=day + DAY_US)
    assert (found.messages, failing(found)) == (2, [])
    assert len(failing(weighed(database, {"properties": {"n": {"maximum": 10}}}, since_us=day))) == 1


def test_a_fold_that_stopped_anywhere_counts_each_message_once(database: Database) -> None:
    stored(database, [{"n": 1}])
    sent = [envelope(data={"n": number}) for number in range(50)]
    put(database, page(inbox("b"), *sent, first=10))
    first, second = (shapes.Folder(database, lambda _flow: NOTHING) for _ in range(2))
    assert first.step() == 50
    assert second.step() == 0
    put(database, page(inbox("b"), envelope(data={"n": 7}), first=100))
    assert (second.all(), first.all()) == (1, 0)
    put(database, page(inbox("b"), envelope(data={"n": 8}), first=101))
    assert first.all() == 1
    [flow] = shapes.of_target(database, "b", inbox("b").key)
    assert [shape.count for shape in flow.shapes] == [53]


def test_where_nothing_is_known_of_marks_no_value_is_stored(database: Database) -> None:
    stored(database, [{"name": "somebody", "n": 77}], hidden=EVERYTHING)
    [[example, facts]] = database.rows("SELECT s.example, p.facts FROM shapes AS s, packed_shapes AS p")
    assert "somebody" not in example
    assert b"somebody" not in facts


def test_payloads_that_are_not_kept_are_unknown(tmp_path: Path) -> None:
    database = open_database(tmp_path / "small.db", max_payload_bytes=10)
    stored(database, [{"text": "longer than that"}])
    found = weighed(database, {"type": "object", "required": ["text"]})
    assert (found.unknown, found.evidence["a", "message"].unknown) == (1, 1)
