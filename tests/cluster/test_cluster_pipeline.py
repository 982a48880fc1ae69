"""A pipeline on a cluster: each step on another master, the parts of a join in the slot of the joining module."""

from __future__ import annotations

from typing import Any

from claude_comm import Settings
from claude_comm.names import Keys
from claude_comm.pipeline.tally import Failed, Finished
from claude_comm.transport.driver import Client
from tests.support.masters import Masters, modules_on_all
from tests.support.pipelines import document, module, results, step, up


def test_a_fan_out_over_all_masters_is_joined(masters: Masters, settings: Settings, client: Client) -> None:
    a, b, c, d = modules_on_all(masters, settings.namespace, 6)[:4]
    owners = {masters.owner(Keys(settings.namespace).inbox(name)).port for name in (a, b, c)}
    assert len(owners) == 3

    def same(payload: Any) -> Any:
        return payload

    def picky(payload: Any) -> Any:
        if payload == 7:
            raise ValueError("seven")
        return payload * 10

    pipeline = document(step(a, after=[]), step(b, after=a), step(c, after=a), step(d, after=[b, c]))
    functions = {a: same, b: same, c: picky, d: same}
    with up(client, settings, *(module(settings, name, function) for name, function in functions.items())):
        ended = results(client, settings, pipeline, range(30))
    assert [each.input for each in ended if isinstance(each, Failed)] == [7]
    assert [each for each in ended if isinstance(each, Finished)] == [
        Finished(input=n, result={b: n, c: n * 10}) for n in range(30) if n != 7
    ]
