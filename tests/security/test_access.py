"""Access rules: each role does all of its work under its user, and nothing that is another's."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Consumer, Module, Publisher, Settings
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.effects import Command
from claude_comm.errors import RequestFailed, ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import heartbeats, projection_progress, registration, registry
from claude_comm.registry.contracts import contract
from claude_comm.security.access import Partners, rules, server_of, targets_of, user_words
from claude_comm.store.database import open_database
from claude_comm.store.queries import messages
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.access import NewUser, denials
from tests.support.homes import REPOSITORY, child_environ
from tests.support.modules import running
from tests.support.waiting import wait_until

QUICK = RetryPolicy(attempts=2, first_wait_s=0.01)


def worker(name: str, as_user: Settings) -> subprocess.Popen[bytes]:
    environ = child_environ(
        CLAUDE_COMM_HOME=str(as_user.home), CLAUDE_COMM_URL=as_user.url, CLAUDE_COMM_NAMESPACE=as_user.namespace
    )
    words = [sys.executable, "-m", "claude_comm", "worker", name]
    return subprocess.Popen(words, env=environ, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def test_modules_do_all_of_their_work_under_their_users(settings: Settings, client: Client, new_user: NewUser) -> None:
    keys = Keys(settings.namespace)
    sender = new_user("module", "a", Partners(["b", "topic:news"]))
    reader = new_user("module", "b", Partners([], ["news"]))
    module, seen = Module("b", settings=reader, topics=["news"], dedup_s=60, max_lag=1000, retry=QUICK), []

    @module.handles()
    def handle(payload: int) -> int:
        seen.append(payload)
        if payload == 13:
            raise ValueError("no")
        return payload

    with running(module), Publisher("a", settings=sender) as publisher:
        wait_until(lambda: client.run(registry.find(keys, "b")) is not None)
        publisher.negotiate("b", {"type": "integer"})
        publisher.publish_many("b", range(5))
        publisher.publish("b", 5, delay_s=0.05)
        publisher.publish("topic:news", 6)
        assert publisher.request("b", 7) == 7
        with pytest.raises(RequestFailed):
            publisher.request("b", 13)
        wait_until(lambda: {*range(8), 13} <= set(seen))
        wait_until(lambda: client.data.one(Command(("XLEN", keys.dead("b")))) == 1)
    assert denials(client, settings) == []


def test_workers_do_all_of_their_work_under_their_users(
    settings: Settings, client: Client, new_user: NewUser, patient_jobs: None
) -> None:
    keys = Keys(settings.namespace)
    users = {role: new_user(role) for role in ("negotiation", "progress", "janitor")}
    workers = [worker(role, user) for role, user in users.items()]
    try:
        wait_until(lambda: client.data.one(Command(("ZCARD", keys.workers))) == 3, what="three heartbeats")
        with Publisher("a", settings=settings) as publisher, Consumer("b", settings=settings) as consumer:
            client.run(registration.register(keys, contract("b", accepts={"type": "integer"})))
            agreement = publisher.negotiate("b", {"type": "integer"})
            assert agreement.decided_by.startswith("worker")
            publisher.publish_many("b", range(3))
            for delivery in consumer.read():
                consumer.ack(delivery)
            consumer.flush()
        with open_database(users["progress"].database) as database:
            wait_until(lambda: denials(client, settings) != [] or len(messages(database)) == 3)
        wait_until(
            lambda: denials(client, settings) != [] or bool(client.run(projection_progress.reported(keys, since_ms=0)))
        )
        wait_until(lambda: client.data.one(Command(("XLEN", keys.inbox("b")))) in (0, 3))
    finally:
        for process in workers:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(120) for process in workers] == [0, 0, 0]
    assert denials(client, settings) == []


@pytest.mark.parametrize("rules_of", ["this release", "a release before steps"])
def test_an_outbox_sends_under_the_user_of_its_module(
    settings: Settings, client: Client, new_user: NewUser, tmp_path: Path, rules_of: str
) -> None:
    """It appends by a script, which the rules of an earlier release did not allow."""
    keys, partners = Keys(settings.namespace), Partners(["b", "topic:news"])
    sender = new_user("module", "a", partners)
    if rules_of != "this release":
        earlier = [rule for rule in rules(keys, "module", "a", partners) if len(rule.commands) != 2]
        words = user_words(earlier, server_of(client.data.one(Command(("INFO", "server")))))
        client.data.one(Command(("ACL", "SETUSER", f"{settings.namespace}-a", *words, ">secret")))
    with Publisher("a", settings=sender, outbox=tmp_path / "a.outbox") as publisher:
        publisher.publish_many("b", range(3))
        publisher.publish_many("topic:news", range(3))
    assert client.data.one(Command(("XLEN", keys.inbox("b")))) == 3
    assert client.data.one(Command(("XLEN", keys.topic("news")))) == 3
    assert (denials(client, settings) == []) is (rules_of == "this release")


FORBIDDEN: list[tuple[str, tuple[Any, ...]]] = [
    ("read another's inbox", ("XRANGE", "inbox b", "-", "+")),
    ("take another's messages", ("XREADGROUP", "GROUP", "b", "x", "STREAMS", "inbox b", ">")),
    ("send to whom it does not name", ("XADD", "inbox c", "*", "e", "x")),
    ("trim another's inbox", ("XTRIM", "inbox b", "MAXLEN", 0)),
    ("delete another's inbox", ("DEL", "inbox b")),
    ("delete its entries", ("XDEL", "inbox b", "1-1")),
    ("make a group on it", ("XGROUP", "CREATE", "inbox b", "x", "0")),
    ("destroy its group", ("XGROUP", "DESTROY", "inbox b", "b")),
    ("read what is buried there", ("XRANGE", "dead b", "-", "+")),
    ("write its events", ("XADD", "events b", "*", "e", "x")),
    ("read replies to another", ("XREAD", "STREAMS", "replies b", "0")),
    ("read a topic that it does not read", ("XRANGE", "topic other", "-", "+")),
    ("write a topic that it does not name", ("XADD", "topic other", "*", "e", "x")),
    ("record a projection's position", ("HSET", "stored", "s", "9-0")),
    ("say that a projection lives", ("ZADD", "projections", 1, "p")),
    ("replace the keyring", ("SET", "keyring", "x")),
    ("queue a job", ("LPUSH", "rq:queue:x", "y")),
    ("change access rules", ("ACL", "SETUSER", "x", "on")),
    ("change the configuration", ("CONFIG", "SET", "maxmemory", "1")),
    ("empty the server", ("FLUSHALL",)),
    ("stop it", ("SHUTDOWN", "NOSAVE")),
    ("list all keys", ("KEYS", "*")),
    ("watch all commands", ("MONITOR",)),
    ("see who is connected", ("CLIENT", "LIST")),
    ("close others' connections", ("CLIENT", "KILL", "TYPE", "normal")),
    ("publish on a channel", ("PUBLISH", "x", "y")),
    ("reach another namespace", ("XADD", "other:{m:b}:inbox", "*", "e", "x")),
    ("do it in a script", ("EVAL", "return redis.call('DEL', KEYS[1])", 1, "inbox b")),
    ("name no key in a script", ("EVAL", "return redis.call('DEL', ARGV[1])", 0, "inbox b")),
]


def key_named(keys: Keys, word: Any) -> Any:
    """`inbox b` as the key that it stands for; any other word as it is."""
    kind, _, name = word.partition(" ") if isinstance(word, str) else (word, "", "")
    named = {
        "inbox": keys.inbox, "dead": keys.dead, "events": keys.events, "topic": keys.topic,
        "replies": lambda module: keys.replies(module, "i"),
    }  # fmt: skip
    whole = {"stored": keys.stored("p"), "projections": keys.projections, "keyring": keys.keyring}
    return named[kind](name) if name and kind in named else whole.get(word, word) if isinstance(word, str) else word


@pytest.mark.parametrize("words", [pytest.param(words, id=what) for what, words in FORBIDDEN])
def test_a_module_is_refused(words: tuple[Any, ...], settings: Settings, client: Client, new_user: NewUser) -> None:
    keys = Keys(settings.namespace)
    client.data.one(Command(("XADD", keys.inbox("b"), "1-1", "e", "x")))
    user = new_user("module", "a", Partners(["b", "topic:news"], ["mine"]))
    with connect(user) as connected, pytest.raises(ServerRefused):
        connected.data.one(Command(tuple(key_named(keys, word) for word in words)))
    assert denials(client, settings) != []
    assert client.data.one(Command(("XLEN", keys.inbox("b")))) == 1


def test_a_progress_worker_sends_nothing_and_a_negotiation_worker_reads_no_message(
    settings: Settings, client: Client, new_user: NewUser
) -> None:
    keys = Keys(settings.namespace)
    for role, words in (
        ("progress", ("XADD", keys.inbox("b"), "*", "e", "x")),
        ("negotiation", ("XRANGE", keys.inbox("b"), "-", "+")),
    ):
        with connect(new_user(role)) as connected, pytest.raises(ServerRefused):
            connected.data.one(Command(words))


def test_a_client_that_may_not_is_told_which_key(settings: Settings, new_user: NewUser) -> None:
    user = new_user("module", "a", Partners(["b"]))
    with Publisher("a", settings=user) as publisher, pytest.raises(ServerRefused) as refused:
        publisher.publish("c", 1)
    assert "ACL" in str(refused.value)
    with connect(user) as connected:
        assert connected.run(heartbeats.instances_alive(Keys(settings.namespace), "b", now_ms=1)) == []


def test_whom_a_contract_sends_to() -> None:
    assert targets_of(["b", "topic:news", "b"]) == ["b", "topic:news"]
    assert targets_of(["", "b", "topic:news"]) == ["*", "topic:news"]


def test_the_command_prints_and_sets_what_a_module_may(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    for name in ("home", "url", "namespace"):
        monkeypatch.setenv(f"CLAUDE_COMM_{name.upper()}", str(getattr(settings, name)))
    user = f"{settings.namespace}-x"
    printed = run("acl", user, "--to", "b", "--topic", "news")
    assert printed.out.startswith(f"user {user} #")
    made = run("acl", user, "--to", "b", "--topic", "news", "--apply", "--json").json
    try:
        path = settings.url.removeprefix("unix://")
        url = f"unix://{user}:{made['password']}@{path}"
        with Publisher(user, settings=Settings(home=settings.home, url=url, namespace=settings.namespace)) as publisher:
            publisher.publish("b", 1)
            with pytest.raises(ServerRefused):
                publisher.publish("c", 1)
    finally:
        client.data.one(Command(("ACL", "DELUSER", user)))
    assert run("acl", user, "--role", "king").code == 2
