"""What an operation does where the server refuses, does not answer, or holds what was not expected.

Performed by hand: a real server gives these answers rarely.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from claude_comm.delivery import retention
from claude_comm.effects import Batch, Command, Effect, Operation, Script
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Question
from claude_comm.ops import (
    agent_tasks,
    agreements,
    consume,
    dead,
    door,
    follow,
    forget,
    heartbeats,
    in_flight,
    lag,
    later,
    outdated,
    pending,
    projection_progress,
    publish,
    reap,
    registration,
    registry,
    replies,
    retained,
    server,
    trim,
    unreadable,
    when_full,
)
from claude_comm.ops.consume import Reader
from claude_comm.ops.dead import Place
from claude_comm.ops.later import Moved
from claude_comm.pipeline import route
from claude_comm.pipeline.route import Leg
from claude_comm.registry.releases import ModuleRecord
from claude_comm.security import sealed
from tests.support.by_hand import answered, perform

KEYS = Keys("n")
INBOX = KEYS.parse_stream(KEYS.inbox("m").encode())
assert INBOX is not None
READER = Reader(KEYS.inbox("m"), "m", "one")
AWAY = ServerUnreachable("unix:///nowhere", "it is away")
BUSY = ServerRefused("BUSY a script runs")
NO_GROUP, NO_KEY = ServerRefused("NOGROUP no such group"), ServerRefused("ERR no such key")
NOT_ALLOWED, WRONG_TYPE = ServerRefused("NOPERM not this command"), ServerRefused("WRONGTYPE not that kind")
QUESTION = Question(producer="a", consumer="b", produced=True, accepted=True)
FULL = ServerRefused("OOM command not allowed")
CONSUMER = [b"name", b"one", b"pending", 0, b"idle", 10**12]

RAISED: dict[str, tuple[Operation[Any], Sequence[Any]]] = {
    "a task begins": (agent_tasks.begin(KEYS, "t", b"{}", 1), [[BUSY, 1]]),
    "a task is marked": (agent_tasks.durable(KEYS, "t"), [[BUSY, 1]]),
    "a task waits for the disk": (agent_tasks.durable(KEYS, "t"), [[1, AWAY]]),
    "an agreement is read": (agreements.known(KEYS, QUESTION), [[BUSY, None]]),
    "a group is looked for": (consume.has_group("s", "g"), [[BUSY]]),
    "entries are measured": (consume.sample_bytes("s"), [BUSY]),
    "a group is made": (consume.make_group("s", "g", "0"), [BUSY]),
    "streams are read apart, and none answers": (consume.read_apart([READER], count=1), [[BUSY]]),
    "ends of streams": (follow.tails(["s"]), [[BUSY]]),
    "ends of streams, away": (follow.tails(["s"]), [[AWAY]]),
    "pages of streams": (follow.read_until({"s": "1-0"}, "+", count=1), [[BUSY]]),
    "newest entries": (follow.newest(["s"], count=1), [[BUSY]]),
    "what a module has is counted": (forget.forget(KEYS, "m", now_ms=0, dry_run=True), [[], [], [1, BUSY, 0, 0]]),
    "a group is read": (in_flight.group("s", "g"), [BUSY]),
    "groups of streams": (lag.groups(["s"]), [[AWAY]]),
    "delayed messages are moved": (later.move_due(KEYS, "s", now_ms=0), [BUSY]),
    "the next delayed message": (later.waiting(["s"]), [[1], [AWAY]]),
    "waiting deliveries are taken": (pending.take(READER, "d", 1), [[[b"1-0"], 0], [BUSY, []]]),
    "what is stored is looked for": (projection_progress.present([("s", "1-0")]), [[BUSY]]),
    "behind the dead": (reap.reap({"s": ["g"]}, set()), [[[CONSUMER]], BUSY]),
    "a record is read": (registry.standing(KEYS, "m", now_ms=0), [[BUSY, {}]]),
    "replies are collected": (replies.collect("r", [], block_ms=0), [[BUSY]]),
    "a reader is woken": (replies.wake("r"), [[1, BUSY]]),
    "the server is described": (server.facts(), [["", BUSY, ""]]),
    "the server is described, if it may be": (server.may_tell(), [["", BUSY, ""]]),
    "a stream is trimmed": (trim.trim(INBOX, [], retention.Keep(0, 0), now_ms=0), [BUSY]),
    "foreign keys are looked at": (unreadable.look(KEYS, [KEYS.running("m")]), [[AWAY]]),
    "a full server, something else": (when_full.force(Command(("SET", "k", "v"))), [BUSY]),
}  # fmt: skip


@pytest.mark.parametrize("case", RAISED)
def test_a_refusal_that_nobody_expects_is_raised(case: str) -> None:
    operation, answers = RAISED[case]
    with pytest.raises(TransportError) as refusal:
        perform(operation, answers)
    assert refusal.value in (AWAY, BUSY)


ANSWERED: dict[str, tuple[Operation[Any], Sequence[Any], Any]] = {
    "a server without such a file on its disk": (agent_tasks.durable(KEYS, "t"), [[1, BUSY]], None),
    "another began the round before": (agent_tasks.take_round(KEYS, "t", "r", "m-2"), [0, b"m-1"], "m-1"),
    "agreements, in two pages": (
        agreements.everything(KEYS), [[b"7", []], [b"0", []]], agreements.Everything([], {}),
    ),
    "burials of which none is chosen": (
        dead.purge(KEYS, "m", lambda _: True, max_bytes=9), [[(b"1-0", [])], []], 0,
    ),
    "agreements that went": (agreements.several(KEYS, ["a"]), [[None]], {}),
    "no stream, no group": (consume.has_group("s", "g"), [[NO_KEY]], False),
    "where events end": (agent_tasks.position("s"), [[(b"7-0", [])]], "7-0"),
    "no events yet": (agent_tasks.position("s"), [[]], "0-0"),
    "no events since": (agent_tasks.since("s", "3-0"), [[]], ([], "3-0")),
    "a run of a server that may not be told": (server.run_id(), [NOT_ALLOWED], None),
    "no stream, no size": (consume.sample_bytes("s"), [NO_KEY], 0),
    "a group that another made": (consume.make_group("s", "g", "0"), [ServerRefused("BUSYGROUP it is there")], None),
    "fewer burials went than were counted": (dead.drop_oldest(KEYS, "m", 1), [4, 3, 2, 2], 2),
    "a walk that is over": (dead.page(KEYS, Place("m", "", ""), max_bytes=9), [], ([], Place("m", "", ""))),
    "an end of another kind": (follow.tails(["s"]), [[WRONG_TYPE]], {}),
    "a stream with nothing new": (follow.newest(["s", "t"], count=1), [[[], [b"e"]]], {"t": [b"e"]}),
    "a name that is none": (heartbeats.waiting(KEYS, now_ms=0), [[b"m/a", b"m/ /", b"/a"]], {"m": ["a"]}),
    "delayed messages of another kind": (later.move_due(KEYS, "s", now_ms=0), [WRONG_TYPE], Moved(0, None)),
    "many entries": (lag.count("s", "-", "+"), [(lag._PART, b"7-0"), (3, b"9-0")], lag._PART + 3),
    "a group that went": (reap.reap({"s": ["g"]}, set()), [[[CONSUMER]], NO_GROUP], reap.Reaped(0, ())),
    "a dead instance with many deliveries": (
        reap.reap({"s": ["g"]}, {"g/one"}), [[[CONSUMER]], (100, b"5-0", 0), (1, b"", 1)], reap.Reaped(101, ("g/one",)),
    ),
    "the length of a stream": (retained.length("s"), [3], 3),
    "a user who may not ask": (server.may_tell(), [[NOT_ALLOWED, "", ""]], None),
    "keys that may not be listed": (unreadable.scan(KEYS, "data"), [NOT_ALLOWED], []),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERED)
def test_what_is_not_there_is_an_answer(case: str) -> None:
    operation, answers, expected = ANSWERED[case]
    assert perform(operation, answers) == expected


def test_the_members_of_a_sorted_set_are_read_as_either_protocol_writes_them() -> None:
    assert door.scored([[b"a", 1.0], [b"b", 2.0]]) == door.scored([b"a", b"1", b"b", b"2"]) == [("a", 1), ("b", 2)]


def test_a_hash_that_was_refused_for_another_reason_is_no_empty_one() -> None:
    with pytest.raises(ServerRefused, match="BUSY"):
        door.fields(BUSY)


def test_where_the_memory_is_not_known_all_is_kept_that_the_settings_say() -> None:
    assert server.keeping(None, 60.0, 7) == retention.keep(60.0, 7, used_bytes=0, max_bytes=0)


def test_a_command_that_a_full_server_refused_goes_once_more_with_its_key() -> None:
    scripts: list[Script] = []

    def full(effect: Effect) -> Any:
        if isinstance(effect, Script):
            scripts.append(effect)
            return "taken"
        return [FULL, 1] if isinstance(effect, Batch) else FULL

    words = (("XGROUP", "CREATE", "s", "g", "0"), ("HSET", "h", "f", "v"))
    assert [answered(when_full.force(Command(command)), full) for command in words] == ["taken", "taken"]
    assert answered(when_full.force_all(Command(words[1]), Command(("PING",))), full) == ["taken", 1]
    assert [(script.name, script.keys) for script in scripts] == [("anyway", (key,)) for key in ("s", "h", "h")]


def test_what_is_pending_and_what_came_later_is_read_page_by_page() -> None:
    group = {b"name": b"m", b"last-delivered-id": b"600-0"}
    rows = [[b"%d-0" % number, b"one", 0, 1] for number in range(1, 501)]
    page = [(b"%d-0" % number, [b"e", b"pending"]) for number in range(1, 501)]
    last = [(b"600-0", [b"e", b"settled"]), (b"601-0", [b"e", b"new"])]
    bodies = perform(in_flight._unsettled("s", "m"), [[group], rows, [], page, last])
    assert bodies == [b"pending"] * 500 + [b"new"]


def test_very_many_keys_are_scanned_for_so_long_and_no_longer() -> None:
    steps = unreadable._SCANNED // unreadable._STEP
    assert perform(unreadable.scan(KEYS, "data"), [(b"1", [b"k"])] * 2 * steps) == ["k"] * 2 * steps
    assert perform(unreadable.scan(KEYS, "data"), [(b"1", [b"k"]), (b"0", []), (b"0", [b"\xff"])]) == ["k"]


def test_the_oldest_message_of_a_consumer_is_not_guessed() -> None:
    with pytest.raises(ServerUnreachable):
        perform(outdated._oldest(KEYS, ["m"]), [[[], AWAY, 0]])


def test_an_agreement_that_a_route_names_and_nobody_has_is_left_out() -> None:
    way = route.read((route.write(Leg(step="b", agreement="gone")),))
    session: Any = SimpleNamespace(whole=way)
    assert perform(in_flight.pinned(KEYS, [session]), [None]) == {}


def test_a_stream_is_announced_before_what_goes_to_the_disk() -> None:
    announced: list[Batch] = []

    def known(effect: Effect) -> list[int]:
        assert isinstance(effect, Batch)
        announced.append(effect)
        return [0] * len(effect.commands)

    assert answered(publish.publish_to_disk(KEYS, [], ["s"]), known) == []
    assert ["s" in batch.commands[0].args for batch in announced] == [True]


def test_a_signed_record_that_did_not_change_is_written_back_as_it_stands() -> None:
    record, scripts = ModuleRecord(module="m", releases=[]), list[Any]()
    read = registration._Read(sealed.MARK + b"signed", record)
    done = answered(registration._swap(KEYS, read, record, []), lambda effect: scripts.append(effect) or 0)
    assert (done, len(scripts)) == (False, 1)
    assert scripts[0].args[1:3] == (read.text, read.text)


def test_a_value_that_could_not_be_read_for_another_reason_is_no_fault() -> None:
    kind: Any = object()
    assert list(unreadable._faults(KEYS, kind, "k", [BUSY], {})) == []
