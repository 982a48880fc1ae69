"""compose.yaml and the Dockerfile: read, and their commands and health checks run as processes on a private server."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_comm.cli.app import ENTRIES
from claude_comm.runtime import private_server, worker_processes
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S, wait_until

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, continued lines joined."""
    text = (REPOSITORY / "deploy" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in pairs]


def told(instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile() if word == instruction]


def test_every_worker_has_a_service() -> None:
    assert set(OURS) == set(worker_processes.WORKERS)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_checked_restarted_and_pinned(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    image, _, tag = service["image"].rpartition(":")
    assert image
    assert tag not in ("", "latest")


@pytest.mark.parametrize("name", OURS)
def test_a_worker_waits_for_the_server_and_keeps_its_home_in_a_volume(name: str) -> None:
    service = OURS[name]
    assert service["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert service["environment"]["CLAUDE_COMM_URL"].startswith("redis://server:")
    volumes = dict(volume.split(":") for volume in service["volumes"])
    assert set(volumes) <= set(COMPOSE["volumes"])
    assert set(volumes.values()) == set(told("VOLUME"))
    assert (REPOSITORY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["command"][0] in ENTRIES


def test_the_server_is_reached_from_this_machine_alone() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["server"]["ports"])


def test_the_image_is_pinned_small_and_without_rights() -> None:
    for image in told("FROM"):
        assert re.fullmatch(r"python:3\.\d+[\w.-]*( AS \w+)?", image)
    assert told("USER")[-1] not in ("", "root", "0")
    assert told("ENTRYPOINT") == ['["claude-comm"]']
    assert f"CLAUDE_COMM_HOME={told('VOLUME')[0]}" in " ".join(told("ENV"))


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copied in told("COPY"):
        if not copied.startswith("--from"):
            for name in copied.split()[:-1]:
                assert (REPOSITORY / name).exists()
                assert name in kept


@pytest.mark.parametrize("name", OURS)
def test_a_workers_command_and_its_health_check_do_what_they_say(name: str, environ: dict[str, str]) -> None:
    """As in the container: unhealthy before, healthy while it runs, ended by SIGTERM, unhealthy after."""
    _, *check = OURS[name]["healthcheck"]["test"]

    def healthy() -> bool:
        return subprocess.run(check, env=environ, check=False, capture_output=True).returncode == 0

    assert not healthy()
    with subprocess.Popen(["claude-comm", *OURS[name]["command"]], env=environ, stderr=subprocess.DEVNULL) as process:
        wait_until(healthy)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    assert not healthy()


@pytest.fixture
def server(home: Path) -> Iterator[Path]:
    """The server of compose.yaml with its own options, but on a socket and in a folder of this test."""
    program, *options = SERVICES["server"]["command"]
    assert program == "valkey-server"
    socket = home / "valkey.sock"
    where = ["--port", "0", "--unixsocket", str(socket), "--dir", str(home), "--logfile", str(home / "server.log")]
    with subprocess.Popen([str(private_server.binary()), *options, *where]) as process:
        wait_until(lambda: private_server.answers(socket))
        yield socket
        process.terminate()


def test_the_servers_options_are_those_of_the_private_one(server: Path) -> None:
    with private_server.socket.socket(private_server.socket.AF_UNIX) as link:
        link.connect(str(server))
        for option, value in (("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction")):
            link.sendall(f"CONFIG GET {option}\r\n".encode())
            assert value.encode() in link.recv(4096)
    assert SERVICES["server"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]


def test_the_environment_of_compose_is_accepted(home: Path) -> None:
    """Every setting in compose.yaml is one that the program reads."""
    given = OURS["progress"]["environment"]
    done = subprocess.run(
        ["claude-comm", "status", "--check", "progress"],
        env=child_environ(CLAUDE_COMM_HOME=str(home), **given),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
