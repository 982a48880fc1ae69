"""Who fits, from a catalogue: the answers of looking at every contract, however few the index leads to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.discovery.answer import answer
from claude_comm.discovery.catalogue import Catalogue
from claude_comm.discovery.query import Candidates, Query
from claude_comm.errors import ConfigurationError, SchemaError
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.schema.bounded import check
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Undecided, passes
from tests.support.schemas.schemas_at_random import SCHEMAS, VALUES

PAGE = {
    "type": "object",
    "properties": {"number": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["number"],
}
WORD = {"type": "string", "minLength": 1}
# What no prover of ours decides: the one leaves a part to code, the other repeats to itself without consuming.
CODE = {"type": "object", OPAQUE: "a validator of a model decides"}
CIRCLE = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}


def catalogue(*contracts: Contract) -> Catalogue:
    return Catalogue({declared.module: declared for declared in contracts})


def asked(held: Catalogue, **parts: Any) -> Candidates:
    return answer(held, Query(**parts).check(), dict.fromkeys(held.contracts, 1))


def names(partners: Candidates) -> tuple[list[str], list[str]]:
    return [p.module for p in partners.found], [p.module for p in partners.undecided]


MARKER = contract("marker", accepts={"page": PAGE}, capabilities=["mark", "pdf.mark"])
READER = contract("reader", produces=[Produced("page", PAGE), Produced("word", WORD, "speller")])
SPELLER = contract("speller", accepts={"word": WORD, "page": WORD})
CODED = contract("coded", accepts={"page": CODE}, produces=[Produced("page", CODE)])
EVERYBODY = catalogue(MARKER, READER, SPELLER, CODED)


@pytest.mark.parametrize(
    ("parts", "found", "undecided"),
    [
        ({"accepts": {"number": 1}}, ["marker"], ["coded"]),
        ({"accepts": {"number": 1}, "type": "word"}, [], []),
        ({"accepts": "abc"}, ["speller"], []),
        ({"accepts": ""}, [], []),
        ({"accepts": None}, [], []),
        ({"produces": {"number": 1, "text": "x"}}, ["reader"], ["coded"]),
        # A closed producer sends no property that it does not declare, where it declares some.
        ({"produces": {"number": 1, "other": 2}}, [], ["coded"]),
        ({"produces": {"number": 1, "other": 2}, "policy": "strict"}, ["reader"], ["coded"]),
        ({"capability": "pdf.mark"}, ["marker"], []),
        ({"capability": "pdf"}, [], []),
        ({"name": "*er"}, ["marker", "reader", "speller"], []),
        ({"type": "word"}, ["reader", "speller"], []),
        ({"fits": READER}, ["marker", "speller"], ["coded"]),
        ({"fits": MARKER}, ["reader"], []),
        ({"fits": contract("other", produces=[Produced("word", WORD, "marker")])}, [], []),
        ({"fits": MARKER, "name": "m*"}, [], []),
        ({"accepts": {"number": 1}, "capability": "mark"}, ["marker"], []),
    ],
)
def test_each_part_of_a_query(parts: dict[str, Any], found: list[str], undecided: list[str]) -> None:
    assert names(asked(EVERYBODY, **parts)) == (found, undecided)


def test_each_way_says_the_type_and_why_it_cannot_be_told() -> None:
    partners = asked(EVERYBODY, accepts={"number": 1})
    assert [(w.direction, w.type, w.answer) for p in partners.found for w in p.ways] == [("accepts", "page", "yes")]
    (way,) = partners.undecided[0].ways
    assert way.answer == "undecided"
    assert "a validator of a model decides" in way.why


def test_a_schema_that_cannot_be_used_is_undecided_and_no_error() -> None:
    broken = Contract(module="broken", accepts={"page": {"$ref": "https://elsewhere.example/page"}})
    assert names(asked(catalogue(broken), accepts=1)) == ([], ["broken"])
    assert names(asked(catalogue(broken), fits=READER)) == ([], ["broken"])
    circular = Contract(module="circular", accepts={"page": CIRCLE})
    assert names(asked(catalogue(circular), fits=READER)) == ([], ["circular"])


def test_a_topic_is_reached_where_it_is_read() -> None:
    news = contract("news", produces=[Produced("page", PAGE, "topic:pages")])
    listener = contract("listener", accepts={"page": PAGE}, topics=["pages"])
    assert names(asked(catalogue(listener, MARKER), fits=news)) == (["listener"], [])


def test_those_that_are_not_to_be_looked_at_are_left_out() -> None:
    partners = answer(EVERYBODY, Query(name="*"), {"marker": 2, "gone": 1})
    assert [(p.module, p.instances) for p in partners.found] == [("marker", 2)]


def test_a_query_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing is asked for"):
        asked(EVERYBODY)


def test_a_catalogue_keeps_what_was_read_again_and_is_the_same() -> None:
    same = contract("marker", accepts={"page": PAGE}, capabilities=["mark", "pdf.mark"])
    assert EVERYBODY.updated({"marker": same}, EVERYBODY.contracts.keys()) is EVERYBODY
    renamed = contract("marker", accepts={"page": PAGE}, capabilities=["draw"])
    changed = EVERYBODY.updated({"marker": renamed}, ["marker", "reader"])
    assert list(changed.contracts) == ["marker", "reader"]
    assert changed.of("reader") == EVERYBODY.of("reader")
    assert names(asked(changed, capability="draw")) == (["marker"], [])
    assert names(asked(EVERYBODY, capability="draw")) == ([], [])


def usable(schema: Any) -> bool:
    try:
        compile_validator(schema)
    except SchemaError:
        return False
    return True


# Far more than any of these pairs takes: what is undecided is not so because the machine is busy.
BUDGET_MS = 20_000
CONTRACTS = st.lists(SCHEMAS.filter(usable), min_size=1, max_size=6).map(
    lambda schemas: [
        contract(f"m{at}", accepts={"x": schema}, produces=[Produced("x", schema)]) for at, schema in enumerate(schemas)
    ]
)


@given(CONTRACTS, VALUES)
@settings(max_examples=70)
def test_what_accepts_a_message_is_what_a_look_at_every_contract_finds(contracts: list[Contract], message: Any) -> None:
    held = catalogue(*contracts)
    expected = [c.module for c in contracts if compile_validator(c.accepts["x"]).accepts(message)]
    assert names(asked(held, accepts=message)) == (expected, [])
    sent = names(asked(held, produces=message, policy="strict"))
    assert sent == (expected, [])


@given(CONTRACTS, SCHEMAS.filter(usable))
@settings(max_examples=40)
def test_what_fits_a_contract_is_what_a_proof_of_every_pair_finds(contracts: list[Contract], schema: Any) -> None:
    own = contract("own", produces=[Produced("x", schema)])
    verdicts = {c.module: check(schema, c.accepts["x"], budget_ms=BUDGET_MS) for c in contracts}
    found, undecided = names(asked(catalogue(*contracts), fits=own, budget_ms=BUDGET_MS))
    assert found == [module for module, verdict in verdicts.items() if passes(verdict)]
    assert set(undecided) <= {module for module, verdict in verdicts.items() if isinstance(verdict, Undecided)}


def test_of_what_is_sent_closed_the_declared_properties_alone_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def produced(**message: Any) -> tuple[list[str], list[str]]:
        return names(asked(EVERYBODY, produces=message, type="page", policy="closed-producer"))

    assert produced(number=1) == (["reader"], ["coded"])
    assert "reader" not in produced(number="x")[0]
    monkeypatch.setattr("claude_comm.discovery.answer.confirmed", lambda *_: None)
    assert "reader" in produced(number=1)[1]


def test_a_property_of_another_kind_is_seen_without_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
    asker = contract("asker", produces=[Produced("page", texts)])
    monkeypatch.setattr("claude_comm.discovery.answer.check", lambda *_, **__: pytest.fail("a proof was begun"))
    only = catalogue(MARKER)
    for _ in range(2):
        assert names(asked(only, fits=asker)) == ([], [])
