"""Lists that are split: each item goes its own way, and a later step is given all of them as a list again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm import Module, Settings
from claude_comm.client.consumer.passing import Passing
from claude_comm.client.identity import identify
from claude_comm.delivery.reply import FAILURE_TYPE
from claude_comm.effects import Command
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.errors import DecodeError
from claude_comm.names import Keys
from claude_comm.ops.consume import Why
from claude_comm.pipeline import fork, route
from claude_comm.pipeline.check import PipelineReport, inspect
from claude_comm.pipeline.fork import Fork
from claude_comm.pipeline.tally import Failed, Finished
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, results, step, up
from tests.support.streams import sent

PIPELINE = document(step("pages", split=True), step("text"), step("book", gather="pages"))


class Page(msgspec.Struct):
    number: int


class Text(msgspec.Struct):
    number: int
    words: str


def pages(payload: Any) -> list[Page]:
    return [Page(number) for number in range(payload["pages"])]


def text(page: Page) -> Text:
    if page.number == 13:
        raise ValueError("page 13 is torn")
    return Text(page.number, f"w{page.number}")


def book(texts: list[Text]) -> str:
    return " ".join(text.words for text in texts)


def modules(settings: Settings) -> list[Module]:
    return [
        module(settings, "pages", pages),
        module(settings, "text", text, concurrency=3),
        module(settings, "book", book),
    ]


def test_items_of_any_number_are_gathered_in_their_order(settings: Settings, client: Client) -> None:
    inputs = [{"pages": count} for count in (3, 0, 1, 13, 7)]
    with up(client, settings, *modules(settings)):
        ended = results(client, settings, PIPELINE, inputs)
    wanted = [" ".join(f"w{number}" for number in range(given["pages"])) for given in inputs]
    assert ended == [Finished(input=number, result=result) for number, result in enumerate(wanted)]
    stamped = [fork.read(envelope) for envelope in sent(client, settings, "text")]
    first = sent(client, settings, "pages")[0].id
    assert [stamp for stamp in stamped if stamp and stamp.origin == first] == [Fork(first, at, 3) for at in range(3)]
    assert len({envelope.id for envelope in sent(client, settings, "text")}) == len(stamped) == 24
    assert all(not envelope.headers for envelope in sent(client, settings, "book") if envelope.type == DEFAULT_TYPE)
    left = client.data.one(Command(("HVALS", Keys(settings.namespace).join("book", "s"))))
    assert left == [b"1"] * 4, "items are left that wait for others"


def test_thousands_of_items_are_gathered(settings: Settings, client: Client) -> None:
    """More than one command of a script may name."""

    def count(numbers: list[int]) -> Any:
        return [len(numbers), numbers == sorted(numbers)]

    made = [module(settings, "a", lambda payload: list(range(payload))), module(settings, "b", count)]
    pipeline = document(step("a", split=True), step("b", gather="a"))
    with up(client, settings, *made):
        assert results(client, settings, pipeline, [2500]) == [Finished(input=0, result=[2500, True])]


def test_an_item_that_is_buried_fails_its_input_and_nothing_waits(settings: Settings, client: Client) -> None:
    chain = document(*PIPELINE["modules"], step("outer"))
    with up(client, settings, *modules(settings), module(settings, "outer", lambda payload: payload)):
        ended = results(client, settings, chain, [{"pages": 20}, {"pages": 2}])
    assert isinstance(ended[0], Failed)
    assert (ended[0].step, "torn" in ended[0].error) == ("text", True)
    assert ended[1] == Finished(input=1, result="w0 w1")


def test_an_item_may_pass_a_step_by(settings: Settings, client: Client) -> None:
    """By a condition, or where an optional step cannot handle it."""
    even = {"multipleOf": 2}
    pipeline = document(step("a", split=True), step("b", when=even), step("c", optional=True), step("d", gather="a"))

    def picky(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number + 1

    made = [
        module(settings, "a", lambda payload: list(range(payload))),
        module(settings, "b", lambda number: number * 10),
        module(settings, "c", picky),
        module(settings, "d", lambda numbers: numbers),
    ]
    with up(client, settings, *made):
        assert results(client, settings, pipeline, [5]) == [Finished(input=0, result=[1, 2, 21, 3, 41])]


def total(numbers: list[int]) -> int:
    return sum(numbers)


def test_what_is_split_is_a_list(settings: Settings, client: Client) -> None:
    made = [module(settings, "a", lambda payload: payload), module(settings, "b", total)]
    with up(client, settings, *made):
        ended = results(client, settings, document(step("a", split=True), step("b", gather="a")), [[1, 2], {"n": 1}])
    assert ended[0] == Finished(input=0, result=3)
    assert isinstance(ended[1], Failed)
    assert "does not return a list" in ended[1].reason


NUMBER, PAGES = {"type": "integer"}, {"type": "array", "items": {"type": "integer"}}


def report(returned: Any, item: Any, gathered: Any, *, leaves: Any = True) -> PipelineReport:
    return inspect(
        document(
            step("a", input_schema=True, output_schema=returned, split=True),
            step("b", input_schema=item, output_schema=leaves),
            step("c", input_schema=gathered, output_schema=True, gather="a"),
        )
    )


def test_items_and_lists_are_proved() -> None:
    assert report(PAGES, NUMBER, PAGES, leaves=NUMBER).answer == "yes"
    states = [hop.state for hop in report(PAGES, {"type": "string"}, PAGES, leaves={"type": "number"}).hops]
    assert states == ["incompatible", "incompatible"]


def test_a_list_is_as_long_as_it_was() -> None:
    some = {**PAGES, "minItems": 1, "maxItems": 9}
    assert report(some, NUMBER, some, leaves=NUMBER).answer == "yes"
    assert report(PAGES, NUMBER, some, leaves=NUMBER).answer == "no"


def test_references_in_a_list_reach_its_items() -> None:
    paged = {
        "$ref": "#/$defs/all",
        "$defs": {"all": {"type": "array", "items": {"$ref": "#/$defs/one"}}, "one": NUMBER},
    }
    assert report(paged, NUMBER, True).answer == "yes"
    assert report(paged, {"type": "string"}, True).answer == "no"
    older = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": [NUMBER, {"const": "x"}]}
    assert report(older, {"type": ["integer", "string"]}, True).answer == "no"
    closed = {**older, "additionalItems": False}
    assert report(closed, {"type": ["integer", "string"]}, True).answer == "yes"


def test_what_may_be_no_list_is_refused_with_a_message() -> None:
    (hop, *_) = report({"type": ["array", "null"], "items": NUMBER}, NUMBER, True).hops
    assert (hop.state, hop.verdict.witness) == ("incompatible", None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([step("a", split=True), step("b")], "none does"),
        ([step("a"), step("b", gather="a")], "no step 'a' splits a list"),
        ([step("a", split=True, optional=True), step("b", gather="a")], "has no `when`"),
        ([step("a", split=True), step("b", split=True), step("c", gather="a")], "a chain of steps"),
        (
            [
                step("a", after=[], split=True),
                step("b", after="a"),
                step("c", after="a"),
                step("d", after="b", gather="a"),
            ],
            "one step follows",
        ),
        ([step("g", gather="a"), step("a", split=True)], "does not come after"),
        ([step("a", split=True), step("b", gather="a", repeat={"from": "a", "most": 2})], "neither splits"),
    ],
)
def test_steps_that_cannot_split_or_gather_are_named(steps: list[Any], sentence: str) -> None:
    problems = inspect(document(*steps)).problems
    assert any(sentence in problem.sentence for problem in problems), problems


def test_the_input_of_a_stamp_that_cannot_be_read_ends_as_failed(settings: Settings, client: Client) -> None:
    with up(client, settings, *modules(settings)):
        results(client, settings, PIPELINE, [{"pages": 1}])
    (item,) = [envelope for envelope in sent(client, settings, "text") if envelope.headers]
    forged = msgspec.structs.replace(item, headers={fork.HEADER: "nonsense"})
    client.run(Passing(identify("text", settings)).failure(forged, Why("torn"), None))
    collector = route.read(item.route).collector
    collected = sent(client, settings, collector.module or collector.step)
    assert collected[-1].type == FAILURE_TYPE


@pytest.mark.parametrize("text", ["", "m", "m 1/1", "m 5/3", "m 0/999999", "m -1/2", "m 0/2 more"])
def test_a_stamp_of_a_stranger_is_refused(text: str) -> None:
    envelope = Envelope(id="x", source="s", target="t", time=0, headers={fork.HEADER: text})
    with pytest.raises(DecodeError, match="fork"):
        fork.read(envelope)
