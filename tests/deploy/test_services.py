"""The services of `compose.yaml` as processes, with the users and secrets that `acl-file` writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import redis
import yaml

from claude_comm import Publisher, Settings
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.runtime import worker_processes
from claude_comm.runtime.secret_files import Places, write_secrets
from claude_comm.security.access import file_users
from tests.support.deployment import COMPOSE, DEPLOY, OURS, SERVICES, Stage
from tests.support.homes import child_environ
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until


@pytest.mark.long
@pytest.mark.parametrize("name", worker_processes.WORKERS)
def test_a_workers_command_and_its_health_check_do_what_they_say(name: str, stage: Stage, home: Path) -> None:
    """As in the container: unhealthy before, healthy while it runs, ended by SIGTERM, unhealthy after; as its own user,
    who is refused nothing."""
    service = OURS[name]
    _, *check = service["healthcheck"]["test"]
    environ = stage.environ(service, home)

    def healthy(*more: str) -> bool:
        return subprocess.run([*check, *more], env=environ, check=False, capture_output=True).returncode == 0

    assert not healthy()
    with subprocess.Popen(["claude-comm", *service["command"]], env=environ, stderr=subprocess.PIPE) as process:
        wait_until(lambda: healthy("--ready"))
        assert healthy()
        with stage.admin() as admin:
            users = {client["user"] for client in admin.client_list()}
            denied = [entry for entry in admin.acl_log() if entry["username"] == name]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert name in users
    assert denied == []
    events = [json.loads(line) for line in errors.splitlines()]
    assert {"worker.started", "worker.stopped"} <= {event["event"] for event in events}
    assert all(event["level"] in ("info", "debug") for event in events), events
    assert not healthy()


@pytest.mark.long
def test_the_gateway_serves_what_its_health_check_asks(stage: Stage, home: Path) -> None:
    """At another port, since that one may be taken; and only after somebody was given a token."""
    service, port = OURS["gateway"], str(free_port())
    asked = service["environment"]["CLAUDE_COMM_GATEWAY_PORT"]
    environ = stage.environ(service, home) | {"CLAUDE_COMM_GATEWAY_PORT": port}
    program, *check = (word.replace(f":{asked}/", f":{port}/") for word in service["healthcheck"]["test"][1:])
    assert program == "python"

    def healthy() -> bool:
        return subprocess.run([sys.executable, *check], env=environ, check=False, capture_output=True).returncode == 0

    assert service["ports"] == [f"127.0.0.1:{asked}:{asked}"]
    added = subprocess.run(["claude-comm", "module", "add", "page"], env=environ, check=False, capture_output=True)
    assert added.returncode == 0, added.stderr
    _, *command = service["entrypoint"]
    added = subprocess.run(
        ["claude-comm", "module", "add", "prometheus", "--service", "--json"],
        env=environ,
        check=True,
        capture_output=True,
    )
    with subprocess.Popen([sys.executable, *command], env=environ, stderr=subprocess.DEVNULL) as process:
        wait_until(healthy)
        assert b"claude_comm_" in _scraped(port, json.loads(added.stdout)["token"])
        with stage.admin() as admin:
            assert [entry for entry in admin.acl_log() if entry["username"] == "operator"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert not healthy()


def _scraped(port: str, token: str) -> bytes:
    """What Prometheus is answered, asked as its configuration says."""
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["gateway:8765"]}]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{SERVICES['prometheus']['secrets'][0]['target']}"
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{job['metrics_path']}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
        return bytes(answer.read())


def test_a_worker_that_waits_lives_and_is_not_ready(stage: Stage, home: Path) -> None:
    """A server that is away needs no restart of what waits for it; but nothing is to be sent there."""
    environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_URL=f"redis://127.0.0.1:{free_port()}/0")
    check = OURS["janitor"]["healthcheck"]["test"][1:]

    def passes(*more: str) -> bool:
        return subprocess.run([*check, *more], env=environ, check=False, capture_output=True).returncode == 0

    with subprocess.Popen(["claude-comm", "worker", "janitor"], env=environ, stderr=subprocess.DEVNULL) as process:
        wait_until(passes)
        assert not passes("--ready")
        process.terminate()


def test_who_has_no_password_may_ask_whether_the_server_answers_and_nothing_else(stage: Stage) -> None:
    assert SERVICES["server"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]
    with redis.Redis(port=stage.port) as client:
        assert client.ping()
        for command in (
            ("GET", "x"),
            ("INFO",),
            ("XADD", "comm:{m:shop}:inbox", "*", "e", "x"),
            ("CONFIG", "GET", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_the_servers_options_are_those_of_the_private_one(stage: Stage) -> None:
    with stage.admin() as admin:
        for option, value in (("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction")):
            assert admin.config_get(option)[option] == value
        assert int(admin.config_get("maxmemory")["maxmemory"]) == 900 * 1024**2


def test_a_module_sends_as_its_user_and_the_operator_reads_it(stage: Stage, home: Path) -> None:
    def settings(user: str) -> Settings:
        return Settings(home=home, url=(stage.secrets / f"{user}.url").read_text())

    with Publisher("shop", settings=settings("shop")) as publisher:
        publisher.publish("billing", {"total": 3})
    done = subprocess.run(
        ["claude-comm", "list", "--json"],
        env=child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_URL_FILE=str(stage.secrets / "operator.url")),
        capture_output=True,
        check=True,
    )
    assert [message["source"] for message in json.loads(done.stdout)] == ["shop"]


def test_secrets_stay_when_they_are_written_again_and_a_cluster_has_two_addresses(tmp_path: Path) -> None:
    folder, keys = tmp_path / "s", Keys("comm")

    def written(*modules: str, cluster: str = "", sentinels: str = "") -> dict[str, str]:
        users = file_users(keys, modules, "valkey9", watched=bool(sentinels))
        write_secrets(folder, users, Places("h:1", cluster, sentinels))
        return {path.name: path.read_text() for path in folder.iterdir()}

    first = written()
    second = written("shop", cluster="a:1,b:2")
    assert first["progress.password"] == second["progress.password"]
    assert first["progress.control-url"] == ""
    assert second["progress.url"] == f"redis+cluster://progress:{first['progress.password']}@a:1,b:2"
    assert second["progress.control-url"] == first["progress.url"]
    assert first["progress.password"] not in first["users.acl"]
    assert first["replication.conf"] == ""
    assert "sentinel.conf" not in first
    watched = written("shop", sentinels="s1,s2:7")
    assert watched["shop.url"].startswith(f"redis+sentinel://shop:{second['shop.password']}@s1,s2:7/main?sentinel_user")
    assert {line.split()[0] for line in watched["replication.conf"].splitlines()} >= {"masteruser", "masterauth"}
    assert "sentinel monitor main h 1 2" in watched["sentinel.conf"].splitlines()
    # The gateway makes the token of Prometheus.
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} - {"prometheus.token"} <= set(watched)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_module_takes_no_name_of_a_user_of_the_deployment() -> None:
    with pytest.raises(ConfigurationError, match="'admin'"):
        file_users(Keys("comm"), ["admin"], "valkey9")
