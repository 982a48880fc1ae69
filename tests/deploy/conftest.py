"""A server that was started as `compose.yaml` says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from claude_comm.runtime import private_server
from tests.support.deployment import Stage, command
from tests.support.homes import child_environ
from tests.support.ports import free_port
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("deployed")
    port, secrets = free_port(), folder / "secrets"
    made = ["claude-comm", "acl-file", str(secrets), "--host", f"127.0.0.1:{port}", "--module", "shop"]
    subprocess.run(made, env=child_environ(CLAUDE_COMM_HOME=str(folder / "home")), check=True, capture_output=True)
    program, *options = command("server", secrets)
    assert program == "valkey-server"
    log = str(folder / "log")
    here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--logfile", log]
    with subprocess.Popen([str(private_server.binary()), *options, *here]) as process:
        client = redis.Redis(port=port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                assert process.poll() is None, Path(log).read_text()
                return False

        wait_until(answers)
        yield Stage(port, secrets)
        client.close()
        process.terminate()
