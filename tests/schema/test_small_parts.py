"""The small parts that the whole engine stands on: budgets, pointers, dialects, values, and what is code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

import claude_comm.schema
from claude_comm.errors import ConfigurationError, SchemaError
from claude_comm.schema import Compatible, adapt, check, diff, explain, keywords
from claude_comm.schema.arguments import MAX_BUDGET_MS, check_aliases, check_options
from claude_comm.schema.budget import STEPS_PER_LOOK, STEPS_PER_MS, Budget, BudgetShare, OutOfBudget, OutOfPart
from claude_comm.schema.deadline import within
from claude_comm.schema.dialect import DEFAULT, dialect_of
from claude_comm.schema.kept import kept
from claude_comm.schema.opaque import OPAQUE, Code, code_in
from claude_comm.schema.pointer import follow, pointer, steps
from claude_comm.schema.values import Unwritable, key, ordered, pointed, text, value, written
from claude_comm.schema.verdict import EmptyForm, Impossible, Incompatible, Reason, Undecided


def ticks(tick: Callable[[], None]) -> int:
    """How many steps there are before the budget, or the part of it, is used up."""
    for count in itertools.count():
        try:
            tick()
        except (OutOfBudget, OutOfPart):
            return count
    raise AssertionError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_has_its_steps_for_each_millisecond_and_no_more() -> None:
    assert ticks(Budget(2).tick) == 2 * STEPS_PER_MS
    assert ticks(Budget(0).tick) == 0


def test_a_clock_that_passes_the_end_ends_the_work_at_the_next_look() -> None:
    clock = Clock()
    budget = Budget(1_000, clock)
    clock.now = 101.0
    budget.look()
    for _ in range(10 * STEPS_PER_LOOK):
        budget.tick()
    clock.now = 101.001
    with pytest.raises(OutOfBudget):
        budget.look()
    assert ticks(budget.tick) < STEPS_PER_LOOK
    Budget(0).look()


def test_what_is_kept_of_a_budget_is_there_afterwards() -> None:
    budget = Budget(1)
    with budget.keeping(0.25):
        assert ticks(budget.tick) == STEPS_PER_MS * 3 // 4
    assert ticks(budget.tick) == STEPS_PER_MS // 4


def test_time_is_kept_as_steps_are() -> None:
    clock = Clock()
    budget = Budget(1_000, clock)
    with budget.keeping(0.5):
        clock.now = 100.5
        budget.look()
        clock.now = 100.6
        with pytest.raises(OutOfBudget):
            budget.look()
    budget.look()
    clock.now = 101.1
    with pytest.raises(OutOfBudget), budget.keeping(0.5):
        pytest.fail("nothing is left to keep a share of")


def test_a_part_of_a_budget_ends_by_itself_and_takes_from_the_whole() -> None:
    whole = Budget(1)
    share = BudgetShare(whole, 10)
    with share.keeping(0.5):
        assert ticks(share.tick) == 5
    assert ticks(share.tick) == 5
    assert ticks(whole.tick) == STEPS_PER_MS - 10
    with pytest.raises(OutOfBudget):
        BudgetShare(whole, 10).tick()


def test_what_is_kept_is_given_back_however_its_block_ends() -> None:
    whole = Budget(1)
    share = BudgetShare(whole, 20)

    def use_up() -> None:
        with share.keeping(0.5), share.keeping(0.5):
            for _ in range(20):
                share.tick()

    with pytest.raises(OutOfPart):
        use_up()
    assert ticks(share.tick) == 15
    # And the whole has as much as was not used.
    assert ticks(whole.tick) == STEPS_PER_MS - 20


def test_one_budget_for_many_checks_is_asked_for_what_is_left_of_it() -> None:
    clock, asked = Clock(), list[float]()

    def ask(left_ms: float) -> Compatible:
        asked.append(left_ms)
        return Compatible(proof="asked")

    together = within(500, clock)
    assert isinstance(together(ask), Compatible)
    clock.now = 100.25
    assert isinstance(together(ask), Compatible)
    clock.now = 100.5
    assert isinstance(together(ask), Undecided)
    assert asked == [500, 250]
    within(500, None)(ask)
    assert asked[-1] == 500


DOCUMENT = {"a/b": [{"~": 1}, [2]], "": {"%": 3}, "\u00e9": 4}


@pytest.mark.parametrize(
    ("path", "written_as", "there"),
    [(["a/b", 0, "~"], "/a~1b/0/~0", 1), (["a/b", 1, 0], "/a~1b/1/0", 2), (["", "%"], "//%", 3), ([], "", DOCUMENT)],
)
def test_a_pointer_leads_back_to_its_place(path: list[str | int], written_as: str, there: Any) -> None:
    assert pointer(path) == written_as
    assert steps("#" + written_as.replace("%", "%25")) == [str(step) for step in path]
    assert follow(DOCUMENT, written_as.replace("%", "%25")) == there


@pytest.mark.parametrize("fragment", ["/x", "/a~1b/x", "/a~1b/9", "/a~1b/-1", "/a~1b/0/~0/x", "/\u00e9/0"])
def test_a_pointer_that_leads_nowhere_says_so(fragment: str) -> None:
    with pytest.raises(LookupError):
        follow(DOCUMENT, fragment)


@pytest.mark.parametrize(
    ("declared", "dialect"),
    [
        ("http://json-schema.org/draft-07/schema#", "draft7"),
        ("https://json-schema.org/draft-07/schema", "draft7"),
        ("https://json-schema.org/draft/2019-09/schema", "draft2019-09"),
        ("json-schema.org/draft-04/schema#", "draft4"),
    ],
)
def test_a_dialect_is_known_by_its_address(declared: str, dialect: str) -> None:
    assert dialect_of({"$schema": declared}) == dialect
    assert dialect_of({}, "draft6") == dialect_of(True, "draft6") == "draft6"
    assert dialect_of({}) == DEFAULT


@pytest.mark.parametrize("declared", ["https://example.com/schema", 5, "", ["x"]])
def test_a_dialect_that_is_not_known_is_no_guess(declared: Any) -> None:
    with pytest.raises(SchemaError) as refused:
        dialect_of({"$schema": declared})
    assert refused.value.path == "/$schema"


def test_the_first_place_that_is_left_to_code_is_named() -> None:
    coded = {OPAQUE: "f"}
    assert code_in(coded) == Code("", "f")
    assert code_in({"a/b": [1, {"c": coded}], "d": coded}) == Code("/a~1b/1/c", "f")
    assert code_in({"a": {OPAQUE: 5}}) is None
    assert code_in([True, "x"]) is None


NUMBERS = [0, -7, 2**70, Fraction(1, 2), Fraction(3, 10), -Fraction(5, 4)]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_some_text_denotes_is_written(number: Fraction) -> None:
    assert key(written(Fraction(number))) == ("n", Fraction(number))


@pytest.mark.parametrize("number", [Fraction(1, 3), Fraction(10**400, 3), Fraction(10**17 + 1, 10**17)])
def test_a_number_that_no_float_prints_is_not_written(number: Fraction) -> None:
    with pytest.raises(Unwritable):
        written(number)


@pytest.mark.parametrize(("number", "point"), [(5, 5.0), (2**53 + 1, None), (10**23, 1e23), (10**400, None), (0, 0.0)])
def test_a_float_for_an_integer_denotes_the_same(number: int, point: float | None) -> None:
    found = pointed(number)
    assert (found, type(found)) == (point, type(point))


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([], {}, False),
        ([1, 2], (1.0, 2), True),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": None}, {}, False),
        (0.1 + 0.2, 0.3, False),
    ],
)
def test_values_are_equal_as_mathematics_has_it(first: Any, second: Any, equal: bool) -> None:
    assert (key(first) == key(second)) is equal


@pytest.mark.parametrize("given", [None, True, "x", 5, 0.5, [1, [None]], {"b": {"a": []}, "a": "x"}, [], {}])
def test_a_value_comes_back_and_is_written_in_one_order(given: Any) -> None:
    assert value(key(given)) == given
    assert ordered({"b": given, "a": 2**70}) == ordered({"a": 2**70, "b": given})
    assert ordered({"b": given, "a": 1}) == ordered({"a": 1, "b": given})
    assert ordered({"\ud800": given, "a": 1}) == ordered({"a": 1, "\ud800": given})
    assert ordered({"\ud800": 2, "a": 1}) == '{"a": 1, "\\ud800": 2}'
    assert text({"\ud800": 2**70}) == b'{"\\ud800": ' + str(2**70).encode() + b"}"


RIGHT: dict[str, Any] = {"policy": "strict", "budget_ms": 5, "default_dialect": DEFAULT, "documents": None}


@pytest.mark.parametrize(
    "given",
    [{}, {"budget_ms": 0}, {"budget_ms": 0.5}, {"budget_ms": MAX_BUDGET_MS}, {"documents": {"a": {}, "b": True}}],
)
def test_options_that_are_right_are_taken(given: dict[str, Any]) -> None:
    check_options(**{**RIGHT, **given})


@pytest.mark.parametrize(
    "given",
    [
        {"policy": "Strict"},
        {"default_dialect": "draft3"},
        *({"budget_ms": wrong} for wrong in (-1, MAX_BUDGET_MS + 1, True, "5", None, float("nan"))),
        *({"documents": wrong} for wrong in ([], {1: {}}, {"a": 5}, {"a": {}, "b": "x"})),
    ],
)
def test_an_option_that_is_wrong_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        check_options(**{**RIGHT, **given})


@pytest.mark.parametrize("aliases", [None, {}, {"a": ["b", "c"]}, {"a": ("b",), "b": {"c"}}, {"a": frozenset("c")}])
def test_aliases_are_lists_of_names_by_name(aliases: Any) -> None:
    check_aliases(aliases)


@pytest.mark.parametrize("aliases", [[], "a", {"a": "b"}, {1: ["b"]}, {"a": ["b", 5]}, {"a": ["b"], "c": None}])
def test_aliases_that_are_something_else_are_refused(aliases: Any) -> None:
    with pytest.raises(ConfigurationError, match="aliases"):
        check_aliases(aliases)


def places(schema: Any) -> Iterator[str]:
    return (part["title"] for part in keywords.schemas(schema) if "title" in part)


def named(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, **more}


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (named("a"), "a"),
        ({"properties": {"title": named("a"), "enum": named("b")}}, "ab"),
        ({"allOf": [named("a"), True, named("b", items=named("c"))]}, "abc"),
        ({"enum": [named("x")], "const": named("x"), "default": named("x"), "not": named("a")}, "a"),
        ({"x-own": {"y": [named("a")]}, "$defs": {"": named("b")}}, "ab"),
        ({"$ref": "#/default/y", "default": {"y": named("a")}}, "a"),
        ({"$ref": "#/properties/default", "properties": {"default": named("a")}, "default": named("x")}, "a"),
        ({"$ref": "#/%64efault", "default": named("a")}, "a"),
        ({"$ref": 5, "$dynamicRef": "#/default", "not": {}, "default": named("a")}, "a"),
        ({"$ref": "#/not", "$dynamicRef": "#/default", "not": {}, "default": named("a")}, "a"),
        ({"dependencies": {"p": ["q"], "r": named("a")}}, "a"),
    ],
)
def test_every_schema_of_a_schema_is_found_and_no_data(schema: Any, found: str) -> None:
    assert "".join(sorted(places(schema))) == found


def test_data_is_looked_into_where_one_reference_leads_there() -> None:
    into = {"not": {}, "items": {"$ref": "#/default/a"}, "default": {"a": {}}}
    assert keywords.data_in(into) == "unknown"
    assert keywords.data_in({**into, "items": {"$ref": "#/not"}}) == "data"


@pytest.mark.parametrize(
    ("keyword", "roots", "place"),
    [
        ("pattern", [{"properties": {"a/b": {"pattern": "x"}}}], "/properties/a~1b/pattern"),
        ("pattern", [{"patternProperties": {"x": True}}], "/patternProperties"),
        ("pattern", [True, {"items": {"pattern": "x"}, "not": {"allOf": [{"pattern": "x"}]}}], "/items/pattern"),
        ("pattern", [{"properties": {"pattern": True}, "const": {"pattern": "x"}}], ""),
        ("anyOf", [{"allOf": [{"oneOf": [True]}]}], "/allOf"),
        ("uniqueItems", [{"items": {"uniqueItems": True}}], "/items/uniqueItems"),
        ("contains", [{"contains": True, "minContains": 1}], "/contains"),
        ("additionalProperties", [{}], ""),
    ],
)
def test_the_place_of_what_is_hard_is_named(keyword: str, roots: list[Any], place: str) -> None:
    assert keywords.place_of(keyword, *roots) == place


REASON = Reason(rule="maximum", path="$.a", sentence="too large", schema_path="/properties/a", mends=("lift", "cut"))
FORM = EmptyForm(side="produced", schema_path="/anyOf/1", why="it contradicts itself")
TAKEN = EmptyForm(side="accepted", schema_path="/anyOf/1", why="it contradicts itself")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Compatible(proof=""), "compatible: every message of the producer is accepted."),
        (Compatible(proof="alike"), "compatible: every message of the producer is accepted (proof: alike)."),
        (Compatible(proof="", vacuous="nothing is sent"), "compatible, and only because nothing is sent."),
        (
            Compatible(proof="", empty_forms=(FORM,)),
            "compatible: every message of the producer is accepted.\n"
            "note: the producer sends no message of the form /anyOf/1: it contradicts itself.",
        ),
        (Undecided(place="", why="because"), "undecided: because"),
        (Undecided(place="/a", why="because"), "undecided: because (at /a)"),
        (Impossible(why="all differ", proof="search"), "impossible: all differ."),
        (
            Incompatible(witness="\u00e9", reasons=(REASON,), empty_forms=(TAKEN,)),
            'incompatible: the producer may send\n\n    "\\u00e9"\n\nwhich the consumer refuses.\n'
            "  $.a: too large (/properties/a)\n      lift\n      cut\n"
            "note: the consumer takes no message of the form /anyOf/1: it contradicts itself.",
        ),
    ],
)
def test_a_verdict_is_told_in_words(verdict: Any, words: str) -> None:
    assert explain(verdict) == words


def test_a_reason_at_the_root_names_the_root() -> None:
    reason = Reason(rule="not", path="$", sentence="no", schema_path="", mends=())
    assert explain(Incompatible(witness=1, reasons=(reason,))).endswith("  $: no (/)")


@pytest.mark.parametrize("ask", [check, diff, adapt])
def test_options_are_asked_for_by_each_question(ask: Any) -> None:
    with pytest.raises(ConfigurationError, match="policy"):
        ask({}, {}, policy="none")
    with pytest.raises(ConfigurationError, match="budget_ms"):
        ask({}, {}, budget_ms=-1)


def test_empty_forms_are_named_where_they_are_asked_for() -> None:
    never = {"type": "object", "required": ["a"], "properties": {"a": False}}
    pair: Any = ({"type": "integer"}, {"anyOf": [{"type": "integer"}, never]})
    assert check(*pair) == Compatible(proof=check(*pair).proof)  # type: ignore[union-attr]
    assert check(*pair, name_empty_forms=True).empty_forms != ()  # type: ignore[union-attr]


def test_the_front_door_names_what_it_has_and_nothing_else() -> None:
    assert "check" in dir(claude_comm.schema)
    assert claude_comm.schema.__getattr__("check") is check
    with pytest.raises(AttributeError):
        _ = claude_comm.schema.nothing  # type: ignore[attr-defined]


def test_a_clock_is_read_once_in_so_many_steps() -> None:
    looks = list[None]()

    def clock() -> float:
        looks.append(None)
        return 0.0

    budget = Budget(1_000, clock)
    began = len(looks)
    for _ in range(4 * STEPS_PER_LOOK):
        budget.tick()
    assert len(looks) - began == 4
    BudgetShare(budget, 5).look()
    assert len(looks) - began == 5


def test_a_part_looks_at_the_clock_of_the_whole() -> None:
    clock = Clock()
    share = BudgetShare(Budget(1_000, clock), 5)
    clock.now = 102.0
    with pytest.raises(OutOfBudget):
        share.look()


def test_bounds_that_count_are_those_of_lengths_and_not_of_numbers() -> None:
    counted = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
    assert counted <= set(keywords.COUNTS)
    assert set(keywords.COUNTS).isdisjoint(keywords.NUMBER_BOUNDS)
    excluding = {name for name, row in keywords.TABLE.items() if row.exclusive}
    assert excluding == {"exclusiveMinimum", "exclusiveMaximum"}
    assert set(keywords.about("string")) == {"minLength", "maxLength", "pattern"}


@pytest.mark.parametrize(
    ("schema", "inner"),
    [
        ({"allOf": [1, 2], "not": 3, "dependentSchemas": {"a": 4}}, [1, 2, 3, 4]),
        ({"allOf": {"a": 1}, "dependentSchemas": [2], "dependencies": {"a": ["b"], "c": 5}}, [5]),
        ({"if": 1, "then": 2, "else": 3, "properties": {"a": 4}, "items": 5}, [1, 2, 3]),
    ],
)
def test_what_is_applied_in_place_is_found_in_lists_and_maps(schema: Any, inner: list[int]) -> None:
    assert sorted(keywords.in_place(schema)) == inner


def test_what_is_kept_is_found_once() -> None:
    class Holder:
        def __init__(self) -> None:
            self.looked = 0

        @kept
        def fact(self) -> int:
            self.looked += 1
            return 7

    holder, other = Holder(), Holder()
    assert (holder.fact, holder.fact, holder.looked, other.looked) == (7, 7, 1, 0)
    assert vars(holder)["fact"] == 7
