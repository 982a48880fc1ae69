"""Routing, step by step, against nodes that are played: where each command goes, what goes again, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from claude_comm.effects import Pause
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.transport.routing import PAUSES_S, NodeBatch, Refresh, Topology, Wave, route
from claude_comm.transport.slots import SLOTS, NodeAddress, SlotMap

A, B, C = NodeAddress("a", 1), NodeAddress("b", 2), NodeAddress("c", 3)
Node = Callable[[NodeBatch], list[Any] | Exception]


def refused(code: str, text: str = "") -> ServerRefused:
    return ServerRefused(text, code=code)


def moved(slot: int, to: NodeAddress) -> ServerRefused:
    return refused("MOVED", f"{slot} {to.host}:{to.port}")


def ask(slot: int, to: NodeAddress) -> ServerRefused:
    return refused("ASK", f"{slot} {to.host}:{to.port}")


class Played:
    """A cluster with a map to tell and an answer a node; it notes what it was sent."""

    def __init__(self, owners: dict[int, NodeAddress], answer: Node) -> None:
        self.map = SlotMap([owners.get(slot, A) for slot in range(SLOTS)])
        self.answer, self.topology = answer, Topology([A])
        self.waves: list[list[NodeBatch]] = []
        self.waited_s: list[float] = []
        self.asked_for_map = 0

    def run(self, slots: Sequence[int | None], streams: Sequence[str] = ()) -> list[Any]:
        steps = route(self.topology, slots, streams)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._perform(step))
        except StopIteration as end:
            return list(end.value)

    def _perform(self, step: Any) -> Any:
        if isinstance(step, Refresh):
            self.asked_for_map += 1
            self.topology.learn(self.map)
        elif isinstance(step, Pause):
            self.waited_s.append(step.seconds)
        elif isinstance(step, Wave):
            self.waves.append(step.batches)
            return [self.answer(batch) for batch in step.batches]
        return None


def places(batch: NodeBatch) -> list[Any]:
    return [(batch.node, place) for place in batch.places]


def test_a_batch_is_split_by_master_and_its_replies_put_back_into_order() -> None:
    played = Played({1: A, 2: B, 3: C}, places)
    assert played.run([3, 1, 2, 1, 3, None]) == [(C, 0), (A, 1), (B, 2), (A, 3), (C, 4), (A, 5)]
    (batches,) = played.waves
    assert {batch.node: batch.places for batch in batches} == {A: [1, 3, 5], B: [2], C: [0, 4]}


def test_the_node_of_the_last_command_which_may_wait_is_read_last() -> None:
    played = Played({1: A, 2: B, 3: C}, places)
    played.run([2, 1, 3, 2])
    assert [batch.node for batch in played.waves[0]] == [A, C, B]


def test_what_was_moved_goes_where_it_was_told_by_a_map_that_is_asked_for_anew() -> None:
    """The map may come from a node that has not heard of it: then the redirection counts."""

    def answer(batch: NodeBatch) -> list[Any]:
        return places(batch) if batch.node == B else [moved(7, B) for _ in batch.places]

    played = Played({}, answer)
    assert played.run([7, 7]) == [(B, 0), (B, 1)]
    assert played.asked_for_map == 2
    assert played.run([7]) == [(B, 0)]
    assert [[batch.node for batch in batches] for batches in played.waves] == [[A], [B], [B]]


def test_a_key_that_has_left_is_asked_for_once_and_the_map_stays() -> None:
    def answer(batch: NodeBatch) -> list[Any]:
        return [(batch.node, batch.asking)] if batch.asking else [ask(7, B)]

    played = Played({}, answer)
    assert [played.run([7]), played.run([7])] == [[(B, True)]] * 2
    assert [batch.node for batches in played.waves for batch in batches] == [A, B, A, B]
    assert played.asked_for_map == 1


def test_posts_of_one_slot_go_again_together_the_way_of_the_first() -> None:
    """Between two answers the move may have ended: the first was to be asked for, the second is moved."""

    def answer(batch: NodeBatch) -> list[Any]:
        if batch.node == A:
            return ["landed", ask(7, B), moved(7, C), moved(7, C)]
        return places(batch)

    played = Played({}, answer)
    assert played.run([7, 7, 7, 7], "ssss") == ["landed", (B, 1), (B, 2), (B, 3)]
    assert played.waves[1] == [NodeBatch(B, [1, 2, 3], asking=True)]


def test_a_post_is_not_sent_again_behind_a_later_one_of_its_stream() -> None:
    """The slot left and came back between two posts: the first was refused and stays so, its sender is told."""

    def answer(batch: NodeBatch) -> list[Any]:
        return [refused("CLUSTERDOWN"), "landed", "landed"] if len(batch.places) == 3 else places(batch)

    played = Played({}, answer)
    first, *others = played.run([7, 7, 8], "sst")
    assert (type(first), first.code) == (ServerRefused, "CLUSTERDOWN"), "who sends must not take it for unsent"
    assert others == ["landed", "landed"]
    assert len(played.waves) == 1
    # Another stream of that slot has an order of its own.
    assert Played({}, answer).run([7, 7, 8], "sut")[0] == (A, 0)


@pytest.mark.parametrize(("code", "longest_s"), [("TRYAGAIN", sum(PAUSES_S)), ("CLUSTERDOWN", 1.0)])
def test_what_cannot_be_done_now_is_tried_again_for_a_bounded_time(code: str, longest_s: float) -> None:
    played = Played({}, lambda batch: [refused(code, "no") for _ in batch.places])
    if code == "CLUSTERDOWN":
        with pytest.raises(ServerUnreachable, match=r"the cluster \(no\)"):
            played.run([7, 8])
    else:
        assert [reply.code for reply in played.run([7, 8])] == [code, code]
    assert 0.2 < sum(played.waited_s) <= longest_s


def test_it_comes_back_when_it_can_be_done_again() -> None:
    answers = iter([refused("TRYAGAIN"), refused("UNBLOCKED"), "done"])
    played = Played({}, lambda batch: [next(answers)])
    assert played.run([7]) == ["done"]
    assert len(played.waited_s) == 2


def test_nodes_that_send_each_other_the_same_command_are_given_up() -> None:
    def answer(batch: NodeBatch) -> list[Any]:
        return [moved(7, B if batch.node == A else A)]

    played = Played({}, answer)
    (told,) = played.run([7])
    assert told.code == "MOVED"
    assert len(played.waves) < 30


def test_a_node_that_does_not_answer_stands_in_the_places_of_its_commands() -> None:
    def answer(batch: NodeBatch) -> list[Any] | Exception:
        return ServerUnreachable("b", "gone") if batch.node == B else places(batch)

    played = Played({1: A, 2: B}, answer)
    told = played.run([2, 1, 2])
    assert [type(reply) for reply in told] == [ServerUnreachable, tuple, ServerUnreachable]
    assert played.asked_for_map == 1
    assert played.run([1]) == [(A, 0)]
    assert played.asked_for_map == 2
    with pytest.raises(ServerUnreachable, match="gone"):
        played.run([2])


def test_who_did_not_answer_is_asked_for_the_map_last() -> None:
    topology = Topology([A, B])
    topology.learn(SlotMap([B] * 100 + [C] * (SLOTS - 100)))
    topology.failed(B)
    assert topology.candidates() == [C, A, B]
    topology.answered(B)
    assert topology.candidates() == [B, C, A]
