"""What the command line changes is in the audit, whether it succeeded or not; what it only shows is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import audit, publish, registration
from claude_comm.registry.contracts import contract
from claude_comm.runtime.environment import user_of_process
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.command_line import Ran


@pytest.fixture(autouse=True)
def this_namespace(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.mark.parametrize(
    ("command", "act", "outcome"),
    [
        (("dead", "redrive", "sink"), "redrive", "0 put back"),
        (("dead", "purge", "sink", "--yes"), "purge", "0 deleted"),
        (("module", "retire", "sink"), "retire", "1 retired"),
        (("unsubscribe", "sink", "news"), "unsubscribe", "not read 0, read and not finished 0"),
        (
            ("forget", "sink"),
            "forget",
            "0 messages in its inbox, 0 that wait, 0 buried, 1 events, subscriptions to news",
        ),
    ],
)
def test_an_act_is_in_the_audit(
    settings: Settings, client: Client, run: Callable[..., Ran], command: tuple[str, ...], act: str, outcome: str
) -> None:
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("sink", accepts={"x": {}})))
    client.data.one(Command(("XGROUP", "CREATE", keys.topic("news"), "sink", "0", "MKSTREAM")))
    client.run(publish.announce(keys, [keys.topic("news")]))
    ran = run(*command)
    assert ran.code == 0, ran.err
    (written,) = client.run(audit.page(keys, limit=9)).acts
    assert (written.act, written.target, written.by) == (act, "sink", user_of_process())
    assert (written.outcome, written.failed) == (outcome, False)


def test_an_act_that_fails_is_in_the_audit_and_a_dry_run_is_not(
    settings: Settings, client: Client, run: Callable[..., Ran]
) -> None:
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("sink", accepts={"x": {}})))
    assert run("dead", "redrive", "sink", "--dry-run").code == 0
    assert run("dead", "purge", "sink").code == 2
    assert run("contract", "approve", "sink", "9.9.9", "--for", "other", "--by", "ann").code == 3
    (written,) = client.run(audit.page(keys, limit=9)).acts
    assert (written.act, written.by, written.failed) == ("approve", "ann", True)
