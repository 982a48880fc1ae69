"""Planted secrets: a password in the address, a private key and a token are in no output, log, argument or database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from claude_comm import Settings
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.security.access import rules, server_of, user_words
from claude_comm.transport.driver import Client
from tests.support.homes import REPOSITORY, child_environ

PASSWORD = "planted-password-4711"


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="arguments of processes are read from /proc")
def test_no_planted_secret_is_shown_logged_stored_or_an_argument(settings: Settings, client: Client) -> None:
    user = f"{settings.namespace}-operator"
    server = server_of(client.data.one(Command(("INFO", "server"))))
    # All that the workers do, too: this is about what is shown, not about what is allowed.
    words = [*user_words(rules(Keys(settings.namespace), "operator"), server), "~*", "+@all"]
    client.data.one(Command(("ACL", "SETUSER", user, *words, f">{PASSWORD}")))
    path = settings.url.removeprefix("unix://")
    environ = child_environ(
        CLAUDE_COMM_HOME=str(settings.home),
        CLAUDE_COMM_URL=f"unix://{user}:{PASSWORD}@{path}",
        CLAUDE_COMM_NAMESPACE=settings.namespace,
        CLAUDE_COMM_LOG_LEVEL="debug",
    )
    outputs: list[str] = []

    def run(*arguments: str, **more: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "claude_comm", *arguments],
            env={**environ, **more},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        outputs.append(ran.stdout + ran.stderr)
        return ran.stdout

    try:
        added = json.loads(run("module", "add", "a", "--json"))
        token, secret = added["token"], Path(added["key_file"]).read_text(encoding="ascii").split()[-1]
        outputs.clear()  # where the token is shown, once
        run("up")
        run("send", "b", "1", "--from", "a")
        run("send", "b", "1", "--from", "a", CLAUDE_COMM_SIGNING="require")
        run("status", "--json")
        run("keys", "--json")
        run("sql", "SELECT * FROM messages")
        run("status", CLAUDE_COMM_URL=f"redis://me:{PASSWORD}@127.0.0.1:1/0")
        run("status", CLAUDE_COMM_URL=f"redis://me:{PASSWORD}@host:notaport/0")
        run("blobs", "list", CLAUDE_COMM_BLOB_STORE=f"what://me:{PASSWORD}@host/x")
        arguments = [_arguments(process) for process in Path("/proc").glob("[0-9]*/cmdline")]
    finally:
        run("down")
        client.data.one(Command(("ACL", "DELUSER", user)))
    keys = settings.home / "keys"
    files = [file.read_bytes() for file in settings.home.rglob("*") if file.is_file() and keys not in file.parents]
    assert any(b"worker.started" in text for text in files)
    shown = [text.encode() for text in outputs] + arguments + files
    for planted in (PASSWORD, token, secret):
        assert [text[:2000] for text in shown if planted.encode() in text] == []
    stored = client.control.one(Command(("GET", Keys(settings.namespace).keyring)))
    assert token.encode() not in stored
    assert secret.encode() not in stored


def _arguments(process: Path) -> bytes:
    try:
        return process.read_bytes()
    except OSError:  # it has ended
        return b""
