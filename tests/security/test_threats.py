"""The table of docs/security.md: every cell is an attack that was made on that tier, and what came of it.

Who attacks is a module that was taken over: it has its own key where there are signatures, and its own user where there
are access users. `private` and `shared` are one tier to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread

import msgspec
import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.cli.commands.trim import trimmed
from claude_comm.client.identity import identify, millis
from claude_comm.client.publisher import negotiate
from claude_comm.delivery import dedup
from claude_comm.delivery.reply import REPLY_TYPE, address
from claude_comm.effects import Command
from claude_comm.envelope import decode, encode, pack
from claude_comm.errors import ClaudeCommError, ServerRefused
from claude_comm.names import Keys
from claude_comm.negotiation import pairs
from claude_comm.negotiation.agreement import Question
from claude_comm.negotiation.pairs import Pair
from claude_comm.ops import (
    agent_tasks,
    agreements,
    heartbeats,
    partners,
    projection_progress,
    publish,
    registration,
    registry,
    sessions,
)
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.session import RunSession
from claude_comm.progress.events import EVENT_TYPE, TaskProgress
from claude_comm.registry.contracts import contract
from claude_comm.runtime import key_files
from claude_comm.runtime.trusted_keys import TrustedKeys
from claude_comm.security.access import Partners, rules, server_of, user_words
from claude_comm.security.keyring import Key, Keyring, seal
from claude_comm.store import queries
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.security import entry_attacks
from tests.support.homes import REPOSITORY
from tests.support.modules import running
from tests.support.signed_namespace import signed
from tests.support.tiers import EVIL, TIERS, World, message
from tests.support.waiting import wait_until
from workers.janitor import Janitor


@pytest.fixture(params=TIERS)
def world(request: pytest.FixtureRequest, settings: Settings, client: Client) -> Iterator[World]:
    used = settings
    if request.param in TIERS[2:]:
        used = signed(settings, client, modules=("a", "b", "c", EVIL))
    evil = used
    user = f"{settings.namespace}-evil"
    if request.param in (TIERS[1], TIERS[3]):
        server = server_of(client.data.one(Command(("INFO", "server"))))
        words = user_words(rules(Keys(settings.namespace), "module", EVIL, Partners(["b"])), server)
        client.data.one(Command(("ACL", "SETUSER", user, *words, ">secret")))
        path = settings.url.removeprefix("unix://")
        evil = msgspec.structs.replace(used, url=f"unix://{user}:secret@{path}")
    signer = identify(EVIL, used).signer
    with connect(used) as owner, connect(evil, signer) as attacker:
        yield World(used, owner, evil, attacker)
    client.data.one(Command(("ACL", "DELUSER", user)))


def forge_a_source(world: World) -> bool:
    world.add(world.keys.inbox("b"), message("evil"))
    return "evil" in world.handled()


def alter_or_copy(world: World) -> bool:
    """A message that it was sent itself, put before another."""
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish(EVIL, "pay evil")
    ((_, fields),) = world.owner.data.one(Command(("XRANGE", world.keys.inbox(EVIL), "-", "+")))
    world.add(world.keys.inbox("b"), fields[1], *fields[2:])
    return "pay evil" in world.handled()


def replay(world: World) -> bool:
    """The same message once more, as it was."""
    with Publisher(EVIL, settings=world.evil) as publisher:
        publisher.publish("b", "once")
    ((_, fields),) = world.owner.data.one(Command(("XRANGE", world.keys.inbox("b"), "-", "+")))
    world.add(world.keys.inbox("b"), fields[1], *fields[2:])
    return world.handled().count("once") > 1


def read_an_inbox(world: World) -> bool:
    return isinstance(world.attacker.data.one(Command(("XRANGE", world.keys.inbox("b"), "-", "+"))), list)


def delete_a_stream(world: World) -> bool:
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish("c", 1)
    return bool(world.attacker.data.one(Command(("DEL", world.keys.inbox("c")))))


def wipe_by_sending(world: World) -> bool:
    """To an inbox that it may send to: what waits there goes as its own entry comes."""
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish("b", "wanted")
    world.attacker.data.one(Command(("XADD", world.keys.inbox("b"), "MAXLEN", 0, "*", "e", b"x")))
    return "wanted" not in world.handled()


def brick_by_sending(world: World) -> bool:
    """The last id that there can be: nothing comes after it."""
    world.attacker.data.one(Command(("XADD", world.keys.inbox("b"), f"{2**64 - 1}-{2**64 - 1}", "e", b"x")))
    with Publisher("a", settings=world.settings) as publisher:
        try:
            publisher.publish("b", "wanted")
        except ServerRefused:
            return True
    return False


def send_to_another(world: World) -> bool:
    with Publisher(EVIL, settings=world.evil) as publisher:
        publisher.publish("c", "hello")
    return "hello" in world.handled("c")


def write_an_event(world: World) -> bool:
    body = message(None, source="b", target="b", type=EVENT_TYPE)
    event = msgspec.structs.replace(decode(body), data=pack(TaskProgress(task="t", completed=9, total=9)))
    world.attacker.run(registry_of(world.keys.events("b")))
    world.add(world.keys.events("b"), encode(event))
    with open_database(world.settings.database) as database:
        caught_up(world.owner, database, world.settings)
        return bool(queries.progress(database))


def registry_of(stream: str):  # type: ignore[no-untyped-def]
    yield Command(("SADD", f"{stream.partition(':')[0]}:{{registry}}:streams", stream), on="control")


def report_a_position(world: World) -> bool:
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish_many("b", range(100))
    assert len(world.handled()) == 100
    inbox = world.keys.inbox("b")
    last = world.owner.data.one(Command(("XREVRANGE", inbox, "+", "-", "COUNT", 1)))[0][0].decode()
    signer = identify(EVIL, world.settings).signer
    world.attacker.run(projection_progress.report(world.keys, "p", {inbox: last}, durable={inbox: last}, signer=signer))
    rows = trimmed(msgspec.structs.replace(world.settings, keep_s=0), dry_run=False)
    return any(row.entries for row in rows if row.stream == inbox)


def replace_the_keyring(world: World) -> bool:
    """Its own key as the one of `a`."""
    pair = key_files.make_pair()
    mine = Keyring(namespace=world.keys.namespace, serial=99, keys=(Key(holder="a", public=pair.public),))
    world.attacker.control.one(Command(("SET", world.keys.keyring, seal(mine, pair.signer().sign))))
    if world.settings.signing == "off":
        return True
    trusted = TrustedKeys(world.settings)
    world.owner.run(trusted.renew())
    return any(key.public == pair.public for key in trusted.verifier.keyring.keys)


def register_for_another(world: World) -> bool:
    world.attacker.run(registration.register(world.keys, contract("a", version="6.6.6")))
    found = world.owner.run(registry.find(world.keys, "a"))
    return found is not None and found.version == "6.6.6"


def agree_for_others(world: World) -> bool:
    shape = {"type": "integer"}
    question = Question(producer="a", consumer="b", produced=shape, accepted=shape)
    forged = negotiate.decide(world.attacker, world.keys, question, decided_by="caller")
    return world.owner.run(agreements.find(world.keys, forged.id)) is not None


def beat_for_another(world: World) -> bool:
    world.attacker.run(heartbeats.beat(world.keys.instances, "b/ghost", now_ms=millis()))
    return world.owner.run(heartbeats.instances_alive(world.keys, "b", now_ms=millis())) != []


def forge_a_reply(world: World) -> bool:
    """To a request that it has seen: the requester is given its answer in b's name."""
    answered: list[object] = []
    inbox = world.keys.inbox("b")

    def ask(publisher: Publisher) -> None:
        with suppress(ClaudeCommError):
            answered.append(publisher.request("b", 1, timeout_s=60))

    module = Module("b", settings=world.settings)
    module.handles()(lambda payload: stop.wait())
    stop = Event()
    with running(module), Publisher("a", settings=world.settings) as publisher:
        wait_until(lambda: bool(world.owner.run(heartbeats.instances_alive(world.keys, "b", now_ms=millis()))))
        asking = Thread(target=ask, args=(publisher,))
        asking.start()
        wait_until(lambda: not asking.is_alive() or world.owner.data.one(Command(("XLEN", inbox))) > 0)
        request = decode(world.owner.data.one(Command(("XRANGE", inbox, "-", "+")))[0][1][1])
        about = {"source": "b", "target": "a", "type": REPLY_TYPE, "causation": request.id, "reply_to": ""}
        lie = msgspec.structs.replace(request, id="r", data=pack("lie"), expires=0, **about)
        to = address(request.reply_to)
        assert to is not None
        with suppress(ClaudeCommError):
            world.add(world.keys.replies(to.module, to.instance), encode(lie))
        # The lie stands before the true answer, which comes now.
        stop.set()
        asking.join()
    return answered == ["lie"]


def end_a_run(world: World) -> bool:
    """A run that goes on, in a record that says that it was over long ago: the janitor removes its results."""
    run = RunSession(
        session="s", pipeline="p", digest="0", route=("b {}",), started_ms=millis(), touched_us=millis() * 1000
    )
    results = world.keys.inbox(collector("s"))
    world.owner.run(sessions.store(world.keys, run))
    world.owner.data.one(Command(("XADD", results, "*", "e", "result")))
    world.attacker.run(sessions.store(world.keys, msgspec.structs.replace(run, touched_us=1)))
    Janitor(world.owner, world.settings, Event(), get_logger("error"))._look_after_sessions()
    return not world.owner.data.one(Command(("EXISTS", results)))


def limit_another(world: World) -> bool:
    """One message may wait at `b`, says who is not `b`."""
    world.attacker.control.one(Command(("HSET", world.keys.limits, "b", "1")))
    return world.owner.run(publish.announce(world.keys, [world.keys.inbox("b")])) == {"b": 1}


def hold_up_a_contract(world: World) -> bool:
    """A pair of two others, that names an agreement of its own or a forged one: the new contract would break it."""
    shape = {"type": "integer"}
    own, forged = (
        negotiate.decide(
            world.attacker,
            world.keys,
            Question(producer=producer, consumer="b", produced=shape, accepted=shape),
            decided_by="caller",
        )
        for producer in (EVIL, "a")
    )
    assert world.owner.run(agreements.find(world.keys, own.id)) == own
    for agreement in (own, forged):
        pair = Pair(producer="a", consumer="b", type=own.type).with_turn(pairs.turn_of(agreement, at_us=1))
        world.attacker.control.one(Command(("HSET", world.keys.pairs, pair.name, pairs.encode(pair))))
        world.attacker.control.one(Command(("SADD", world.keys.edges("b"), pair.name)))
        broken = world.owner.run(partners.broken(world.keys, contract("b", accepts={"type": "object"})))
        if "a" in {partner.partner for partner in broken}:
            return True
    return False


def change_what_another_keeps(world: World) -> bool:
    """`b` is told that it has handled what it has not: the message is taken for a copy."""
    with Publisher("a", settings=world.settings) as publisher:
        id_ = publisher.publish("b", "wanted")
    world.attacker.data.one(Command(("ZADD", world.keys.seen("b"), millis(), dedup.member(("a", id_)))))
    return "wanted" not in world.handled()


def end_a_task(world: World) -> bool:
    return bool(world.attacker.run(agent_tasks.end(world.keys, "t", b"{}")))


def write_an_act(world: World) -> bool:
    """Into the record of what administrators did."""
    return bool(world.attacker.control.one(Command(("XADD", world.keys.audit, "*", "a", b"{}"))))


def fill_the_memory(world: World) -> bool:
    with Publisher(EVIL, settings=world.evil) as publisher:
        publisher.publish_many("b", ["x" * 1000] * 1000)
    return True


ATTACKS: dict[str, Callable[[World], bool]] = {
    "send a message in another module's name": forge_a_source,
    "change a message on its way, or copy it from another stream": alter_or_copy,
    "send a message a second time to a module with `dedup_s`": replay,
    "answer a request in another module's name": forge_a_reply,
    "read another module's inbox, buried messages or replies": read_an_inbox,
    "delete or trim another module's stream": delete_a_stream,
    "wipe a stream that it may send to, by an entry that trims (`MAXLEN`)": wipe_by_sending,
    "brick a stream that it may send to, by an entry with the last id": brick_by_sending,
    "send to a module that the contract does not name": send_to_another,
    "write another module's events": write_an_event,
    "report a projection's position, so that the janitor trims": report_a_position,
    "put another keyring, or an older one, in its place": replace_the_keyring,
    "register a contract in another module's name": register_for_another,
    "store an agreement between two others": agree_for_others,
    "write a heartbeat in another module's name, so that it counts as running": beat_for_another,
    "end another's pipeline run by a record in its name, so that its results are removed": end_a_run,
    "keep messages from another module by a limit in its name": limit_another,
    "hold up another module's contract by a pair of two others": hold_up_a_contract,
    "change what another module keeps for itself: what it handled, parts of a join": change_what_another_keeps,
    "end an agent's task": end_a_task,
    "write into the record of administrators' acts": write_an_act,
    "fill the server's memory by sending much": fill_the_memory,
    **entry_attacks.ATTACKS,
}
# Attacks that need no tier to be refused, each with the tests that make them.
ELSEWHERE = {
    "queue a job of another kind for the negotiation worker": (
        "tests/runtime/test_jobs.py",
        ("test_a_job_that_names_any_other_function_is_not_run", "test_callbacks_and_instances_in_a_job_are_ignored"),
    ),
    "register a hostile schema, that takes all time or memory": (
        "tests/schema/test_hostile.py",
        ("test_hostile_schemas_are_answered_in_time_and_memory",),
    ),
    "write values that nobody can read, so that a worker, a module or a command ends": (
        "tests/chaos/test_garbage.py",
        ("test_everything_lives_on_beside_garbage_in_each_kind_of_key",),
    ),
}


def table() -> dict[str, dict[str, str]]:
    """The cells of the page, by attack and tier."""
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    start = next(at for at, line in enumerate(lines) if line.startswith("| attack |"))
    tiers = [cell.strip() for cell in lines[start].strip("|").split("|")][1:]
    rows: dict[str, dict[str, str]] = {}
    for line in lines[start + 2 :]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(tiers) + 1:
            break
        rows[cells[0]] = dict(zip(tiers, cells[1:], strict=True))
    return rows


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_cell_says_what_came_of_the_attack(attack: str, world: World, request: pytest.FixtureRequest) -> None:
    tier = request.node.callspec.params["world"]
    try:
        succeeded = ATTACKS[attack](world)
    except ServerRefused:
        succeeded = False
    assert table()[attack][tier] == ("no" if succeeded else "yes")


def test_the_page_has_a_row_for_each_attack_and_no_other() -> None:
    assert sorted(table()) == sorted([*ATTACKS, *ELSEWHERE])
    assert all(list(cells) == list(TIERS) for cells in table().values())


@pytest.mark.parametrize("attack", ELSEWHERE)
def test_what_is_refused_on_every_tier_has_its_tests(attack: str) -> None:
    file, names = ELSEWHERE[attack]
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert set(table()[attack].values()) == {"yes"}
    for name in names:
        assert re.search(rf"^def {name}\(", text, re.MULTILINE)
