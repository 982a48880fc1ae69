"""Keys of modules, as the admin makes, replaces and revokes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.runtime import key_files, worker_processes
from claude_comm.transport.driver import Client
from tests.support.terminals import terminal


@pytest.fixture(autouse=True)
def _environ(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)
    monkeypatch.setenv("CLAUDE_COMM_NAMESPACE", settings.namespace)


def states(run: Any) -> list[tuple[str, str]]:
    return [(key["holder"], key["state"]) for key in run("keys", "--json").json["keys"]]


def test_a_key_is_made_listed_and_revoked(run: Any, settings: Settings) -> None:
    made = run("module", "add", "marker", "--json").json
    path = Path(made["key_file"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_files.load(path).signer().key_id.hex() == made["key"]
    assert states(run) == [("marker", "valid")]
    assert run("module", "revoke", "marker").out == f"{made['key']} marker revoked\n"
    assert states(run) == [("marker", "revoked")]
    again = run("module", "revoke", "marker")
    assert (again.code, "revoked ones as well" in again.err) == (3, True)


def test_keys_fit_a_terminal_of_80_columns_with_their_times_whole(
    run: Any, settings: Settings, environ: dict[str, str]
) -> None:
    run("module", "add", "a-module-with-a-name-of-many-letters")
    run("module", "revoke", "a-module-with-a-name-of-many-letters")
    run("module", "add", "marker")
    with terminal([sys.executable, "-m", "claude_comm", "keys"], environ, columns=80) as screen:
        assert screen.end() == 0
        lines = [line.rstrip() for line in screen.shown.splitlines()]
    assert max(map(len, lines)) <= 80
    revoked, valid = lines[2:4]
    assert re.search(r"revoked +\d\d:\d\d:\d\d +\d\d:\d\d:\d\d$", revoked)
    assert re.search(r"marker .* valid +\d\d:\d\d:\d\d +-$", valid)


def test_the_next_key_of_a_module_ends_the_one_before_after_the_overlap(run: Any) -> None:
    for overlap in ("1h", "0s"):
        run("module", "add", "marker", "--overlap", overlap)
    assert states(run) == [("marker", "over"), ("marker", "valid")]


def test_the_token_is_shown_once_and_stored_nowhere(run: Any, settings: Settings, client: Client) -> None:
    token = run("module", "add", "marker", "--json").json["token"]
    assert token.startswith("ccm_")
    assert token not in run("keys").out + run("keys", "--json").out
    stored = client.data.one(Command(("GET", Keys(settings.namespace).keyring)))
    assert token.encode() not in stored
    assert key_files.token_hash(token) in stored
    kept = [path.read_bytes() for path in settings.home.rglob("*") if path.is_file()]
    assert not any(token.encode() in text for text in kept)


def test_a_keyring_that_was_taken_away_or_put_back_is_not_believed(
    run: Any, settings: Settings, client: Client
) -> None:
    key = Keys(settings.namespace).keyring
    run("module", "add", "a")
    older = client.data.one(Command(("GET", key)))
    run("module", "revoke", "a")
    for attack in (("SET", key, older), ("DEL", key), ("SET", key, "junk")):
        client.data.one(Command(attack))
        assert states(run) == [("a", "revoked")]
    run("module", "add", "b")
    assert states(run) == [("a", "revoked"), ("b", "valid")]


def test_a_keyring_of_another_admin_is_refused(run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run("module", "add", "a")
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home / "another"))
    refused = run("module", "add", "b")
    assert refused.code == 2
    assert "admin already" in refused.err
    other = key_files.public_text(key_files.make_pair().public)
    monkeypatch.setenv("CLAUDE_COMM_ADMIN_PUBLIC_KEY", other)
    assert run("keys").code == 1


def test_a_private_key_that_others_can_read_is_refused_and_never_shown(run: Any, settings: Settings) -> None:
    run("module", "add", "a")
    path = key_files.path_of(settings.home, key_files.ADMIN)
    secret = path.read_text()
    path.chmod(0o644)
    refused = run("module", "add", "b")
    assert refused.code == 2
    assert "chmod 600" in refused.err
    path.chmod(0o600)
    path.write_text("ssh-ed25519 " + secret)
    refused = run("module", "add", "b")
    assert refused.code == 2
    assert secret.split()[-1] not in refused.err


def test_workers_without_a_key_that_counts_are_not_started_where_signing_is_required(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_COMM_SIGNING", "require")
    first = run("up")
    assert (first.code, first.out) == (2, "")
    for name in worker_processes.WORKERS:
        assert f"\n  claude-comm module add {name} --service" in first.err
    run("module", "add", "progress")
    run("module", "add", "janitor", "--service")
    run("module", "add", "negotiation", "--service")
    run("module", "revoke", "negotiation")
    told = run("up").err
    assert "is one of a module, made without --service" in told
    assert "was revoked, or is over" in told
    assert re.findall(r"module add (\w+)", told) == ["negotiation", "progress"]


def test_workers_start_once_the_commands_that_up_names_were_run(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_SIGNING", "require")
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(worker_processes, "start", lambda _settings, *names: started.append(names) or [])
    for name in re.findall(r"module add (\w+ --service)", run("up").err):
        run("module", "add", *name.split())
    assert (run("up").code, started) == (0, [worker_processes.WORKERS])
