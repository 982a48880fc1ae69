"""What a step declares to hand on unchanged: it is held to that in a run, by name or whole."""

from __future__ import annotations

from typing import Any

from claude_comm import Settings
from claude_comm.pipeline.tally import Failed, Finished
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, results, step, up


def test_a_step_that_breaks_what_it_declares_to_pass_is_named(settings: Settings, client: Client) -> None:
    """What was proved with it would not hold: the input fails there, and not at a later step that needs it."""

    def wrong(payload: Any) -> Any:
        return {**payload, "price": payload["price"] if payload["n"] == 0 else 0} if payload["n"] < 2 else {"n": 2}

    inputs = [{"n": n, "price": 7} for n in range(3)]
    with up(client, settings, module(settings, "one", wrong), module(settings, "two", lambda payload: payload)):
        ended = results(client, settings, document(step("one", passes=["price"]), step("two")), inputs)
    assert ended[0] == Finished(input=0, result={"n": 0, "price": 7})
    for failed in ended[1:]:
        assert isinstance(failed, Failed)
        assert (failed.step, "'price'" in failed.reason) == ("one", True)


def test_a_step_that_passes_everything_is_held_to_what_was_proved_with_that(settings: Settings, client: Client) -> None:
    """Not to what its own result names: that it may change."""

    def returned(payload: Any) -> Any:
        return {"n": payload["n"] + 1} if payload["n"] == 1 else {**payload, "n": payload["n"] + 1}

    number, text = {"type": "integer"}, {"type": "string"}
    entered = {"type": "object", "properties": {"n": number, "name": text}, "required": ["n", "name"]}
    counted = {"type": "object", "properties": {"n": number}, "required": ["n"]}
    pipeline = document(
        step("one", input_schema=entered, output_schema=counted, passes=["*"]),
        step("two", input_schema=entered),
        input_schema=entered,
    )
    with up(client, settings, module(settings, "one", returned), module(settings, "two", lambda payload: payload)):
        ended = results(client, settings, pipeline, [{"n": n, "name": "x"} for n in range(2)])
    assert ended[0] == Finished(input=0, result={"n": 1, "name": "x"})
    assert isinstance(ended[1], Failed)
    assert (ended[1].step, "'name'" in ended[1].reason) == ("one", True)
