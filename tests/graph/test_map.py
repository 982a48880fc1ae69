"""The map: each state by what it rests on, topics as places of their own, and names that start nothing."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from claude_comm.graph import picture, written
from claude_comm.graph.edges import Edge, MapNode, ModuleMap, RegisteredModule, around, graph, worst
from claude_comm.negotiation.pairs import Pair, RecordedOutcome
from claude_comm.registry.releases import ProducedType, Release


def module(name: str, *releases: Release, old: tuple[Release, ...] = ()) -> RegisteredModule:
    return RegisteredModule(name, releases, (*old, *releases), {"up": 1})


def release(version: str = "1.0.0", **fields: Any) -> Release:
    return Release(version=version, digest=f"d{version}", **fields)


def pair(producer: str, consumer: str, answer: str, *, type: str = "a", to: str = "d1.0.0", by: str = "d1.0.0") -> Pair:
    turn = RecordedOutcome(
        agreement="id", answer=answer, producer_digest=by, consumer_digest=to, consumer_version=to[1:]
    )
    return Pair(producer=producer, consumer=consumer, type=type, current=[turn])


def states(made: ModuleMap) -> dict[tuple[str, str, str], str]:
    return {(edge.source, edge.target, edge.type): edge.state for edge in made.edges}


def test_each_answer_has_its_state() -> None:
    modules = [module(name, release(accepts={"a": "s"})) for name in ("p", "q", "r", "s", "t")]
    answers = {"q": "compatible", "r": "adapted", "s": "incompatible", "t": "undecided"}
    made = graph(modules, [pair("p", name, answer) for name, answer in answers.items()])
    assert {target: state for (_, target, _), state in states(made).items()} == {
        "q": "proved",
        "r": "adapted",
        "s": "broken",
        "t": "undecided",
    }
    assert made.sentence == "5 modules and topics, 4 ways: 1 proved, 1 adapted, 1 undecided, 1 broken"


def test_an_agreement_with_a_version_that_is_gone_proves_nothing_unless_the_type_is_the_same() -> None:
    producer, before = module("p", release()), release("1.0.0", accepts={"a": "old"})
    for schema, state in (("new", "undecided"), ("old", "proved")):
        consumer = module("c", release("2.0.0", accepts={"a": schema}), old=(before,))
        [edge] = graph([producer, consumer], [pair("p", "c", "compatible")]).edges
        assert edge.state == state
    assert edge.agreement == "id"


def test_the_worst_of_the_versions_that_messages_come_from_counts() -> None:
    turns = [
        RecordedOutcome(agreement="1", answer="incompatible", producer_digest="d1.0.0"),
        RecordedOutcome(agreement="2", answer="compatible", producer_digest="d2.0.0"),
    ]
    both = Pair(producer="p", consumer="c", type="a", current=turns)
    consumer = module("c", release(accepts={"a": "s"}))
    rolling = module("p", release("2.0.0"), release("1.0.0"))
    assert [edge.state for edge in graph([rolling, consumer], [both]).edges] == ["broken"]
    done = module("p", release("2.0.0"), old=(release("1.0.0"),))
    assert [edge.state for edge in graph([done, consumer], [both]).edges] == ["proved"]


def test_what_is_declared_and_not_negotiated_is_undecided() -> None:
    made = graph([module("p", release(produces=[ProducedType("a", "s", "nobody"), ProducedType("b", "s")]))], [])
    [edge] = made.edges
    assert (edge.target, edge.state, edge.why) == ("nobody", "undecided", "nobody is not registered")
    assert [(node.name, node.kind) for node in made.nodes] == [("nobody", "unknown"), ("p", "module")]


def test_a_topic_stands_between_those_who_publish_and_those_who_read() -> None:
    modules = [
        module("p", release(produces=[ProducedType("a", "s", "topic:news")])),
        module("r", release(topics=["news"], accepts={"a": "s"})),
        module("silent", release(topics=["quiet"])),
    ]
    pairs = [pair("p", "topic:news", "compatible", to=""), pair("p", "r", "adapted")]
    assert states(graph(modules, pairs)) == {
        ("p", "topic:news", "a"): "proved",
        ("topic:news", "r", "a"): "adapted",
        ("topic:quiet", "silent", "*"): "undecided",
    }


def test_around_shows_the_neighbours_alone() -> None:
    modules = [module(name, release(accepts={"a": "s"})) for name in "pqr"]
    whole = graph(modules, [pair("p", "q", "compatible"), pair("q", "r", "compatible")])
    assert [node.name for node in around(whole, "r").nodes] == ["q", "r"]


HOSTILE = 'x"]; click "y\\" <script>alert(1)</script> \x1b[31m & #'
NASTY = ModuleMap(
    [MapNode(HOSTILE, "unknown"), MapNode("m", "module", ("1.0.0",), {"up": 2})],
    [Edge(source="m", target=HOSTILE, type=HOSTILE, state="broken", why=HOSTILE)],
)


def test_names_start_nothing_in_any_form() -> None:
    for form in (written.text, written.mermaid, written.dot, picture.picture, picture.html):
        assert "\x1b" not in form(NASTY)
    for form in (written.mermaid, picture.picture, picture.html):
        assert "<script>alert" not in form(NASTY)
    assert '"]; click' not in written.mermaid(NASTY)
    # Each quote within is escaped, and so is each backslash: quotes left over are those of the form itself.
    bare = written.dot(NASTY).replace("\\\\", "").replace('\\"', "")
    assert "click" in bare
    assert all(line.count('"') % 2 == 0 for line in bare.splitlines())


def test_the_picture_is_whole_xml_with_a_title_for_each_box_and_arrow() -> None:
    root = ElementTree.fromstring(picture.picture(NASTY))
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 1 + len(NASTY.nodes) + len(NASTY.edges)
    assert "prefers-color-scheme:dark" in picture.picture(NASTY)


def test_an_empty_map_is_one_too() -> None:
    empty = graph([], [])
    for form in (written.text, written.mermaid, written.dot, picture.picture, picture.html):
        assert form(empty)


def test_a_circle_and_a_way_to_itself_are_drawn() -> None:
    edges = [Edge(source=a, target=b, type="t", state="proved") for a, b in ("ab", "ba", "aa")]
    made = ModuleMap([MapNode("a", "module"), MapNode("b", "module")], edges)
    assert picture.picture(made).count('class="way"') == 3 + 4


def test_where_nothing_was_settled_nothing_is_proved() -> None:
    assert worst([]) == "undecided"
    known = module("p", release())
    (edge,) = graph([known, module("c", release())], [Pair(producer="p", consumer="c", type="a", current=[])]).edges
    assert edge.state == "undecided"
    (edge,) = graph([known], [pair("p", "gone", "compatible")]).edges
    assert (edge.state, edge.why) == ("undecided", "gone is not registered any more")


def test_those_that_nobody_talks_to_stand_below_the_first_column() -> None:
    modules = [module(name, release(accepts={"a": "s"})) for name in ("p", "q", "alone")]
    assert picture.columns(graph(modules, [pair("p", "q", "compatible")])) == [["p", "alone"], ["q"]]
