"""Routes: written, read, and followed; and what foreign texts in their place come to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.errors import DecodeError
from claude_comm.pipeline import ids, route
from claude_comm.pipeline.ids import Carries, MessagePlace
from claude_comm.pipeline.onward import Onward, _in_loop, carried, failed, skipped, what_follows
from claude_comm.pipeline.route import Leg, RouteLoop
from claude_comm.pipeline.weighing import Ask, weigh
from claude_comm.schema.evolution.adapter import Adapter, Rename
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.verdict import Undecided

LARGE = {"properties": {"n": {"minimum": 10}}}


def routed(*legs: Leg) -> route.Route:
    return route.read(tuple(map(route.write, legs)))


def told(onwards: list[Onward]) -> list[tuple[str, str, int]]:
    """Where each message goes, what it carries, and which part it is."""
    return [(each.leg.step, each.carries.name.lower(), route.read(each.route).here.part) for each in onwards]


DIAMOND = routed(
    Leg(step="start", next={"b": 1, "c": 2}),
    Leg(step="b", when=LARGE, next={"b2": 3}),
    Leg(step="b2", next={"j": 4}),
    Leg(step="c", next={"j": 5}),
    Leg(step="j", after=("b2", "c"), joined=6, next={"end": 7}),
    Leg(step="end"),
)


def test_a_leg_that_says_nothing_more_is_its_name() -> None:
    assert route.write(Leg(step="marker")) == "marker"
    assert route.read(("marker",)).here == Leg(step="marker")


def test_all_that_a_leg_says_comes_back() -> None:
    leg = Leg(
        step="s",
        module="m",
        type="t",
        agreement="a" * 64,
        adapter=(Rename(name="x", to="y"),),
        when=LARGE,
        carry=("x",),
        optional=True,
        repeat=RouteLoop("s", 3, 9, LARGE),
        turn=2,
    )
    assert route.read((route.write(leg),)).here == leg


def test_a_release_that_knows_no_lists_cannot_read_a_route_with_one() -> None:
    """It would hand on a list in one piece, and write routes without these words: a wrong result, and nobody told."""
    lists = Leg(step="cut", split=True, next={"all": 1}), Leg(step="all", gather="cut", joined=2)
    for leg in lists:
        written = route.write(leg)
        assert route.read(tuple(map(route.write, lists))).legs[leg.step] == leg
        with pytest.raises(msgspec.DecodeError):  # what stands behind the name was JSON
            msgspec.json.decode(written.partition(" ")[2])
    assert msgspec.json.decode(route.write(Leg(step="all", joined=2)).partition(" ")[2]) == {"joined": 2}


def test_a_route_holds_what_can_be_reached_and_no_more() -> None:
    (to_b, to_c) = what_follows(DIAMOND, {"n": 10})
    assert list(route.read(to_b.route).legs) == ["b", "b2", "j", "end"]
    assert list(route.read(to_c.route).legs) == ["c", "j", "end"]


def test_a_value_goes_to_each_that_follows() -> None:
    assert told(what_follows(DIAMOND, {"n": 10})) == [("b", "value", -1), ("c", "value", -1)]


def test_a_branch_that_is_not_taken_is_told_to_the_join() -> None:
    assert told(what_follows(DIAMOND, {"n": 1})) == [("j", "skipped", 0), ("c", "value", -1)]


def test_a_failure_is_told_to_the_joins_on_the_way_and_not_to_the_collector() -> None:
    to_b, _ = what_follows(DIAMOND, {"n": 10})
    assert told(failed(route.read(to_b.route))) == [("j", "failed", 0)]
    join = DIAMOND.to("j")
    assert told(failed(route.read(join))) == []
    assert told(skipped(route.read(join))) == [("end", "skipped", -1)]


def test_the_last_step_of_a_branch_sends_a_part() -> None:
    _, to_c = what_follows(DIAMOND, {"n": 10})
    (part,) = what_follows(route.read(to_c.route), {})
    assert (part.type, route.read(part.route).here.part) == (route.PART_TYPE, 1)


def test_a_loop_counts_its_turns_and_forgets_them_when_it_is_left() -> None:
    whole = routed(
        Leg(step="a", next={"b": 1}),
        Leg(step="b", next={"c": 2}),
        Leg(step="c", next={"d": 3}, repeat=RouteLoop("b", 3, 9)),
        Leg(step="d", next={"e": 4}),
        Leg(step="e", next={"end": 5}, repeat=RouteLoop("d", 2, 10)),
        Leg(step="end"),
    )
    path, here = [], whole
    while here.here.step != "end":
        (ahead,) = what_follows(here, {})
        here = route.read(ahead.route)
        path.append(f"{here.here.step}{here.here.turn}")
    assert path == ["b0", "c0", "b1", "c1", "b2", "c2", "d0", "e0", "d1", "e1", "end0"]


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("",),
        ("a b",),
        ("a {",),
        ('a {"next": {"nobody": 1}}',),
        ('a {"when": 3, "next": []}',),
        ('a {"module": "no name"}',),
        ('a {"repeat": {"back": "b", "most": 2, "edge": 1}}',),
        ("a " + "[" * 100_000,),
        ("\x00", "b"),
        ("a", "b", "a"),
        ('a {"next": {"b": 1}, "turn": 1}', 'b {"next": {"a": 2}}'),
        ('a {"next": {"a": 1}}', "b"),
    ],
)
def test_a_route_that_somebody_else_has_written_is_read_or_a_decode_error(texts: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError, match="its route cannot be read"):
        route.read(texts)


def test_a_condition_that_is_no_schema_is_a_decode_error() -> None:
    whole = routed(Leg(step="a", next={"b": 1}), Leg(step="b", when={"type": 7}))
    with pytest.raises(DecodeError, match="condition"):
        what_follows(whole, {})


@pytest.mark.parametrize(
    ("entered", "returned", "on"),
    [
        ({"x": 1, "y": 2}, {"z": 3}, {"x": 1, "z": 3}),
        ({"x": 1}, {"x": 9}, {"x": 9}),
        ({"y": 1}, {"z": 3}, {"z": 3}),
        ([1], {"z": 3}, {"z": 3}),
        ({"x": 1}, None, None),
    ],
)
def test_what_is_carried_stands_beside_the_result_and_never_over_it(entered: Any, returned: Any, on: Any) -> None:
    assert carried(Leg(step="a", carry=("x",)), entered, returned) == on


PLACES = st.builds(
    MessagePlace,
    started_ms=st.integers(0, 2**48 - 1),
    tag=st.integers(0, 2**22 - 1),
    edge=st.integers(0, ids.MAX_EDGES),
    input=st.integers(0, ids.MAX_INPUTS - 1),
    turn=st.integers(0, 63),
    carries=st.sampled_from(Carries),
)


@given(PLACES)
def test_an_id_says_its_place(place: MessagePlace) -> None:
    import uuid

    text = ids.write(place)
    assert ids.read(text) == place
    assert uuid.UUID(text).version == 7
    assert str(uuid.UUID(text)) == text


@given(st.text(), st.integers(1, ids.MAX_EDGES))
def test_a_foreign_id_leads_to_one_that_is_always_the_same(foreign: str, edge: int) -> None:
    first = ids.following(foreign, edge, 0, Carries.VALUE)
    assert first == ids.following(foreign, edge, 0, Carries.VALUE)
    assert first != ids.following(foreign, edge, 1, Carries.VALUE)
    assert ids.read(first) is not None


def test_what_is_split_and_gathered_nowhere_is_no_route() -> None:
    way = routed(Leg(step="a", split=True, next={"b": 1}), Leg(step="b"))
    with pytest.raises(DecodeError, match="nothing gathers"):
        route.gathering(way, way.legs["a"])


def test_a_step_in_the_middle_of_a_loop_is_in_it() -> None:
    way = routed(
        Leg(step="a", next={"b": 1}),
        Leg(step="b", next={"c": 2}),
        Leg(step="c", next={"d": 3}),
        Leg(step="d", repeat=RouteLoop("a", 3, 9), next={"e": 4}),
        Leg(step="e"),
    )
    assert [_in_loop(way, way.legs[name]) for name in "abcde"] == [True, True, True, False, False]


def test_a_schema_without_an_image_leaves_a_hop_undecided() -> None:
    produced = {"type": "object", "not": {"required": ["x"]}, OPAQUE: "code decides"}
    reached, verdict = weigh(produced, {"type": "object"}, Ask(), Adapter((Rename(name="a", to="b"),)))
    assert reached is True
    assert isinstance(verdict, Undecided)
