"""The audit keeps administrative acts, the latest first, and reads what others wrote without falling over it."""

from __future__ import annotations

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import audit
from claude_comm.registry.audit import MAX_TEXT, Act
from claude_comm.transport.driver import Client


def act(number: int, **more: object) -> Act:
    return Act(act="redrive", target=f"sink{number}", by="ann", at_us=number, **more)  # type: ignore[arg-type]


def test_pages_follow_each_other_without_a_gap(client: Client, keys: Keys) -> None:
    for number in range(5):
        client.run(audit.write(keys, act(number)))
    targets, before = [], ""
    while True:
        page = client.run(audit.page(keys, limit=2, before=before))
        targets += [entry.target for entry in page.acts]
        before = page.before
        if not before:
            break
    assert targets == ["sink4", "sink3", "sink2", "sink1", "sink0"]


def test_a_failed_act_and_long_words_are_kept(client: Client, keys: Keys) -> None:
    client.run(audit.write(keys, act(1, failed=True, outcome="x" * 5_000)))
    (kept,) = client.run(audit.page(keys, limit=10)).acts
    assert kept.failed
    assert len(kept.outcome) == MAX_TEXT


def test_what_is_no_act_is_left_out(client: Client, keys: Keys) -> None:
    client.control.one(Command(("XADD", keys.audit, "*", "a", b"\xff{"), on="control"))
    client.control.one(Command(("XADD", keys.audit, "*", "other", b"1"), on="control"))
    client.run(audit.write(keys, act(3)))
    assert [entry.target for entry in client.run(audit.page(keys, limit=10)).acts] == ["sink3"]
