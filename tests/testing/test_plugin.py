"""The fixtures, on a real server and without one: the same module, the same answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest

from claude_comm import Context, Module, NoResponder, Publisher, RetryPolicy, TooLarge
from claude_comm.client.publisher import responders
from claude_comm.progress.events import Handled, Settled
from claude_comm.testing import Bus, NotSeen, RunningModule
from tests.support.homes import child_environ


class Page(msgspec.Struct):
    number: int


class Found(msgspec.Struct):
    double: int


def doubler() -> Module:
    module = Module("doubler", retry=RetryPolicy(attempts=2, first_wait_s=0.01))
    module.produces("found", Found, target="sink")

    @module.handles("page")
    def double(page: Page, context: Context) -> Found:
        if page.number < 0:
            raise ValueError("no page has a negative number")
        context.send("sink", Found(page.number * 2), type="found")
        return Found(page.number * 2)

    return module


@pytest.fixture(params=["comm", "fake_comm"])
def bus(request: pytest.FixtureRequest) -> Bus:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def runner(bus: Bus, request: pytest.FixtureRequest) -> Callable[..., RunningModule]:
    return request.getfixturevalue("module_runner")  # type: ignore[no-any-return]


def test_what_a_module_sends_handles_and_buries_is_seen(bus: Bus, runner: Callable[..., RunningModule]) -> None:
    doubling = runner(doubler())
    doubling.send(Page(4), type="page")
    assert [envelope.payload(Found) for envelope in doubling.sent()] == [Found(8)]
    assert doubling.request(Page(1), type="page", as_=Found) == Found(2)
    doubling.send({"number": "x"}, type="page")
    doubling.send(Page(-1), type="page")
    assert [outcome.result for outcome in doubling.done(4)].count("buried") == 2
    reasons = {burial.path: burial.reason for burial in doubling.buried(2)}
    assert "Expected `int`" in reasons["$.number"]
    assert "no page has a negative number" in reasons[""]
    doubling.idle()
    assert len(bus.messages(target="sink")) == 2
    doubling.stop()


def test_an_end_that_was_told_twice_counts_once(bus: Bus) -> None:
    """As after a lost reply: the event is another one, and what it tells has the time that it had."""
    first, other = (Settled("shop", f"m{number}", sent_us=1, settled_us=2) for number in range(2))
    with Publisher("counter", settings=bus.settings) as publisher:
        for told in ([first], [first, other]):
            publisher.tell(Handled(told))
    assert [outcome.id for outcome in bus.outcomes("counter")] == ["m0", "m1"]


def test_a_test_has_a_namespace_of_its_own(bus: Bus) -> None:
    assert bus.messages() == []
    bus.send("sink", 1)
    assert [envelope.target for envelope in bus.messages()] == ["sink"]


def test_what_a_server_would_refuse_is_refused(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responders, "NOBODY_S", 0.1)
    with pytest.raises(TooLarge):
        bus.send("sink", "x" * 2_000_000)
    with pytest.raises(NoResponder):
        bus.request("nobody", 1)


def test_a_wait_that_ends_says_what_is_missing(bus: Bus, runner: Callable[..., RunningModule]) -> None:
    module = Module("asker")
    module.produces("found", Found)

    @module.handles("page")
    def ask(page: Page, context: Context) -> None:
        context.send("oracle", Found(1), type="found")

    asking = runner(module)
    asking.send(Page(1), type="page")
    bus.wait(bus.awaited, bool, what="the message to wait for its target")
    with pytest.raises(NotSeen, match="'asker' waits for the contract of 'oracle'"):
        asking.sent(timeout_s=0.05)


def test_partners_of_any_target_are_named(bus: Bus, runner: Callable[..., RunningModule]) -> None:
    module = Module("asker")
    module.produces("found", Found)

    @module.handles("page")
    def ask(page: Page, context: Context) -> None:
        context.send("oracle", Found(1), type="found")

    asking = runner(module, partners=["oracle"])
    asking.send(Page(1), type="page")
    (sent,) = asking.sent()
    assert sent.agreement


def test_modules_run_together(bus: Bus, runner: Callable[..., RunningModule]) -> None:
    sink = Module("sink")
    seen: list[Found] = []

    @sink.handles("found")
    def take(found: Found) -> None:
        seen.append(found)

    sinking, doubling = runner(sink), runner(doubler())
    doubling.send(Page(2), type="page")
    sinking.done()
    assert seen == [Found(4)]


def test_the_plugin_costs_a_run_without_it_nothing() -> None:
    """What it imports when pytest loads it, beside what pytest has imported: our words of the version, and no more."""
    script = (
        "import sys, pytest; before = set(sys.modules); import claude_comm.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=child_environ()
    )
    ours = {name for name in done.stdout.split() if not name.startswith("_")}
    assert ours == {"claude_comm", "claude_comm.testing", "claude_comm.testing.plugin", "claude_comm.version"}
