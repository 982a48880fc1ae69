"""History by shapes: what is proved is true of every message, and what is not is looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as example_settings

from claude_comm.client.impact import past
from claude_comm.client.impact.past import PastWindow
from claude_comm.envelope import Envelope
from claude_comm.impact import blocks, history, observed
from claude_comm.impact.blocks import DAY_US
from claude_comm.impact.replay import Replay
from claude_comm.impact.sensitive import EVERYTHING, NOTHING
from claude_comm.impact.shapes import Payload, Shapes
from claude_comm.registry.contracts import contract
from claude_comm.schema.evolution.adapter import Adapter, Default, apply
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.store import database as database_module
from claude_comm.store import retention, shapes
from claude_comm.store.database import Database, open_database
from claude_comm.store.packing import unpack_id
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
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "p.db") as opened:
        yield opened


def stored(
    database: Database, values: list[Any], *, hidden: Any = NOTHING, first: int = 1, **fields: Any
) -> list[Envelope]:
    sent = [envelope(data=value, **fields) for value in values]
    put(database, page(inbox("b"), *sent, first=first))
    shapes.Folder(database, lambda _flow: hidden).all()
    return sent


def weighed(
    database: Database,
    schema: Any,
    *,
    since_us: int = 0,
    most: int = 10_000,
    name_all: bool = False,
    adapter: Adapter | None = None,
) -> past.Remembered:
    new = contract("b", accepts={"message": schema})
    flows = shapes.of_target(database, "b", inbox("b").key, since_us=since_us)
    replay = Replay(new, OLD)
    replay.adapt("", adapter, None)
    return past.weigh(flows, new, replay, database, PastWindow(since_us, most, name_all))


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


@pytest.mark.parametrize(
    ("schema", "odd"),
    [
        ({"properties": {"n": {"maximum": 9_999}}}, {"n": 50_000}),
        ({"properties": {"s": {"enum": ["a", "b"]}}}, {"s": "c"}),
        ({"properties": {"t": {"maxLength": 9}}}, {"t": "t" * 10}),
        ({"properties": {"l": {"items": {"maximum": 1}}}}, {"l": [1, 2, 3]}),
        ({"properties": {"n": {"maximum": 9_999}, "s": {"enum": ["a", "b"]}}}, {"n": 50_000, "s": "c"}),
    ],
)
def test_outliers_of_a_common_shape_are_found_with_a_look_at_their_blocks_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch, schema: Any, odd: dict[str, Any]
) -> None:
    monkeypatch.setattr(blocks, "SIZE", 50)
    values = [{"n": number, "s": "ab"[number % 2], "t": f"t{number}", "l": [1, 0]} for number in range(1_000)]
    for place in (120, 130, 777):
        values[place] |= odd
    sent = stored(database, values)
    found = weighed(database, schema)
    assert failing(found) == sorted(sent[place].id for place in (120, 130, 777))
    assert (found.replayed, found.refused, found.unknown) == (100, 0, 0)
    assert found.evidence["a", "message"].fitting == 997


@example_settings(max_examples=examples(60))
@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from(SCHEMAS), st.booleans(), st.integers(1, 4))
def test_whatever_is_refused_is_in_a_block_that_is_suspected(
    values: list[Any], schema: Any, adapted: bool, size: int
) -> None:
    adapter = Adapter((Default(name="s", value="a"),)) if adapted else None
    refuses = compile_validator(schema).accepts
    refused = {at for at, value in enumerate(values) if not refuses(apply(adapter, value) if adapter else value)}
    made = Shapes()
    for at in range(0, len(values), size):
        numbered = list(enumerate(values))[at : at + size]
        made.absorb([Payload(str(number), number, value, number) for number, value in numbered], NOTHING)
        for shape in made.by_key.values():
            # As a store does that has no room in any.
            shape.blocks += [blocks.Block()] if shape.blocks[-1].numbers else []
    for shape in made.by_key.values():
        filled = [block for block in shape.blocks if block.numbers]
        suspected = {number for block in history.suspects(filled, schema, adapter) for number in block.numbers}
        assert {number for block in filled for number in block.numbers} & refused <= suspected


def test_of_a_common_shape_that_fails_as_a_whole_the_latest_are_named_and_all_are_counted(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)] + [{"m": 1}])
    found = weighed(database, {"required": ["m"]})
    assert failing(found) == sorted(message.id for message in sent[400 - past.SAMPLE : 400])
    evidence = found.evidence["a", "message"]
    assert (found.replayed, found.refused, found.unknown) == (past.SAMPLE, 400 - past.SAMPLE, 0)
    assert (evidence.fitting, evidence.refused, evidence.unnamed) == (1, 400, 400 - past.SAMPLE)
    assert evidence.failing[sent[399].id].why


def test_where_it_is_asked_for_each_is_named(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)] + [{"m": 1}])
    found = weighed(database, {"required": ["m"]}, name_all=True)
    assert failing(found) == sorted(message.id for message in sent[:400])
    evidence = found.evidence["a", "message"]
    assert (evidence.fitting, evidence.refused, evidence.unnamed) == (1, 400, 0)


def test_what_may_be_refused_today_as_well_is_looked_at_one_by_one(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)])
    new = contract("b", accepts={"message": {"required": ["m"]}})
    old = contract("b", accepts={"message": {"properties": {"n": {"maximum": 9}}}})
    flows = shapes.of_target(database, "b", inbox("b").key)
    found = past.weigh(flows, new, Replay(new, old), database, PastWindow(0, 1_000))
    assert failing(found) == sorted(message.id for message in sent[:10])
    assert (found.evidence["a", "message"].refused_before, found.replayed) == (390, 400)


def test_those_of_a_common_shape_that_fail_for_their_values_are_all_found(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(400)])
    found = weighed(database, {"properties": {"n": {"not": {"enum": [3, 398, 399]}}}})
    assert failing(found) == sorted(sent[number].id for number in (3, 398, 399))
    assert (found.replayed, found.refused, found.unknown) == (400, 0, 0)


def test_what_an_adapter_makes_of_a_common_shape_is_looked_at(database: Database) -> None:
    sent = stored(database, [{"n": number} for number in range(100)])
    adapter = Adapter((Default(name="s", value="a"),))
    found = weighed(database, {"required": ["s"], "properties": {"n": {"maximum": 97}}}, adapter=adapter)
    assert failing(found) == sorted(message.id for message in sent[98:])


def test_blocks_follow_their_messages_when_shapes_are_folded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_comm.impact.shapes.MAX_SHAPES", 4)
    sent = []
    for number in range(12):
        sent += stored(database, [{f"user-{number}": number}], first=number + 1)
    found = weighed(database, {"additionalProperties": {"maximum": 9}})
    assert failing(found) == sorted(message.id for message in sent[10:])
    assert (found.messages, found.unknown, found.evidence["a", "message"].fitting) == (12, 0, 10)


def test_blocks_go_with_the_last_of_their_messages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 10)
    sent = stored(database, [{"n": number} for number in range(100)])
    retention.prune(database, before_us=sent[45].time)
    assert database.rows("SELECT count(*) FROM packed_blocks") == [(6,)]
    found = weighed(database, {"properties": {"n": {"maximum": 98}}})
    assert (failing(found), found.replayed) == ([sent[99].id], 10)
    # Of those that are in no block any more nothing is proved: 40 went with their blocks.
    assert found.unknown == 40


def test_shapes_that_were_folded_before_there_were_blocks_are_looked_through(tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    for script in sorted(database_module._MIGRATIONS.glob("*.sql")):
        if script.name < "0014":
            (scripts / script.name).write_text(script.read_text())
    with open_database(tmp_path / "old.db", migrations=scripts) as before:
        sent = [envelope(data=value) for value in [*({"n": number} for number in range(300)), {"n": 1, "s": "x"}]]
        put(before, page(inbox("b"), *sent))
        _fold_as_before(before)
    with open_database(tmp_path / "old.db") as database:
        assert (tmp_path / f"old.db.schema-{len(list(scripts.iterdir()))}").is_file()
        rare = weighed(database, {"properties": {"n": True}, "additionalProperties": False})
        assert (failing(rare), rare.replayed) == ([sent[-1].id], 1)
        common = weighed(database, {"properties": {"n": {"maximum": 298}}})
        assert (failing(common), common.replayed, common.unknown) == ([sent[299].id], 301, 0)
        later = stored(database, [{"n": 1_000}], first=400)
        assert failing(weighed(database, {"properties": {"n": {"maximum": 999}}})) == [later[0].id]


def _fold_as_before(database: Database) -> None:
    """The shapes as the release before wrote them: with the numbers of the latest messages, and no blocks."""
    made = Shapes()
    rows = database.rows(
        "SELECT number, source, target, type, agreement, stream, message_id, data FROM packed_messages"
    )
    made.absorb([Payload(unpack_id(row[6]), START_US, msgspec.msgpack.decode(row[7]), row[0]) for row in rows], NOTHING)
    with database.write() as writer:
        for key, shape in made.by_key.items():
            numbers = [number for block in shape.blocks for number in block.numbers][-256:]
            values = (*rows[0][1:6], bytearray(key), shape.count, shape.first_us, shape.last_us, shape.example_id, "")
            packed = (bytearray(msgspec.msgpack.encode(part)) for part in (shape.facts, shape.days, numbers))
            writer.execute(
                "INSERT INTO packed_shapes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, *packed)
            )
        writer.execute("UPDATE shaped SET number = ?", (rows[-1][0],))


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
    with open_database(tmp_path / "small.db", max_payload_bytes=10) as database:
        stored(database, [{"text": "longer than that"}])
        found = weighed(database, {"type": "object", "required": ["text"]})
    assert (found.unknown, found.evidence["a", "message"].unknown) == (1, 1)


def test_shapes_whose_adapted_form_no_schema_says_are_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = observed.PathFacts({"integer": observed.TypeFacts(count=1, low=1, high=1, distinct=[1])})
    shape: Any = SimpleNamespace(facts=facts)
    adapter = Adapter((Default(name="a", value=1),))
    assert history._fits([shape], {"type": "integer"}, adapter)
    monkeypatch.setattr("claude_comm.impact.history.image", lambda *_: None)
    assert not history._fits([shape], {"type": "integer"}, adapter)


def test_facts_of_items_and_of_a_map_are_found_under_their_marks() -> None:
    inner = observed.PathFacts({"null": observed.TypeFacts(count=1)})
    held = observed.PathFacts({"array": observed.TypeFacts(items=inner), "object": observed.TypeFacts(rest=inner)})
    assert list(observed._inner(held, observed.ITEM)) == [inner]
    assert list(observed._inner(held, observed.ANY_NAME)) == [inner]
    assert list(observed._inner(held, "a")) == []
