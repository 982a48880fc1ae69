"""`compose.yaml` and `deploy`: held to their published schemas; commands, users, environment and health checks of the
files run as processes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
import yaml

from claude_comm import Publisher, Settings
from claude_comm.cli.app import ENTRIES
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.signals import DRAIN_S
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S, wait_until

DEPLOY = REPOSITORY / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
MANIFESTS = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
WORKLOADS = [manifest for manifest in MANIFESTS if manifest["kind"] in ("Deployment", "StatefulSet")]
PODS = {manifest["metadata"]["name"]: manifest["spec"]["template"]["spec"] for manifest in WORKLOADS}
WORKER_PODS = {name: pod for name, pod in PODS.items() if pod["containers"][0]["image"].startswith("claude-comm:")}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def seconds(text: str) -> int:
    return int(re.fullmatch(r"(\d+)s", text)[1])  # type: ignore[index]


# The image.


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in pairs]


def said(instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile() if word == instruction]


def test_the_image_is_pinned_small_and_without_rights() -> None:
    for image in said("FROM"):
        assert re.fullmatch(r"python:3\.\d+-slim[\w.-]*( AS \w+)?", image)
    assert said("USER") == ["10001:10001"]
    assert said("ENTRYPOINT") == ['["claude-comm"]']
    assert f"CLAUDE_COMM_HOME={said('VOLUME')[0]}" in " ".join(said("ENV"))


def test_the_image_is_built_of_wheels_alone() -> None:
    (build,) = (run for run in said("RUN") if "pip" in run)
    assert "--only-binary :all:" in build
    assert "--no-index" in build
    assert build.count("-c constraints.txt") == 1


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copied in said("COPY"):
        if not copied.startswith("--from"):
            for name in copied.split()[:-1]:
                assert name in kept
                assert (REPOSITORY / name).exists() or not (REPOSITORY / "claude_comm").exists()


# compose.yaml


def test_compose_is_what_its_specification_allows() -> None:
    compose_spec = pytest.importorskip("compose_spec", reason="needs the extra `deploy`")
    compose_spec.PyCompose.from_json(json.dumps(COMPOSE)).validate()
    wrong = json.loads(json.dumps(COMPOSE))
    wrong["services"]["server"]["healtcheck"] = {}
    with pytest.raises(ValueError, match="healtcheck"):
        compose_spec.PyCompose.from_json(json.dumps(wrong))


def test_every_worker_has_a_service() -> None:
    assert set(OURS) >= set(worker_processes.WORKERS)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_bounded_and_pinned(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image
    assert tag not in ("", "latest")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service["restart"] in ("unless-stopped", "on-failure")
    assert service["restart"] == "on-failure" or service["healthcheck"]["test"][0] == "CMD"
    for secret in service.get("secrets", []):
        assert secret["source"] in COMPOSE["secrets"]
    for volume in service.get("volumes", []):
        assert volume.partition(":")[0] in COMPOSE["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", OURS)
def test_a_worker_waits_for_the_server_and_is_given_time_to_end(name: str) -> None:
    service = OURS[name]
    assert service["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert seconds(service["stop_grace_period"]) > DRAIN_S
    assert service["user"] == said("USER")[0]
    assert (REPOSITORY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert "command" not in service or service["command"][0] in ENTRIES
    homes = [place for place in (*service.get("volumes", []), *service["tmpfs"]) if "/data" in place]
    assert len(homes) == 1


# The services of compose.yaml as processes, with the users and secrets that `acl-file` writes.


class Stage(NamedTuple):
    """A server that was started as compose.yaml says, and where its secrets are."""

    port: int
    secrets: Path

    def environ(self, service: dict[str, Any], home: Path) -> dict[str, str]:
        """The environment of the service, with the files of its secrets where they are here."""
        sources = {secret["target"]: secret["source"] for secret in service["secrets"]}
        given = {
            name: str(self.file(sources[value.removeprefix("/run/secrets/")])) if "/run/secrets/" in value else value
            for name, value in service["environment"].items()
        }
        return child_environ(**given, CLAUDE_COMM_HOME=str(home))

    def file(self, secret: str) -> Path:
        """The file of a secret."""
        return self.secrets / Path(COMPOSE["secrets"][secret]["file"]).name

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, username="admin", password=self.file("admin-password").read_text())


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("deployed")
    port, secrets = free_port(), folder / "secrets"
    made = ["claude-comm", "acl-file", str(secrets), "--host", f"127.0.0.1:{port}", "--module", "shop"]
    subprocess.run(made, env=child_environ(), check=True, capture_output=True)
    where = {
        "/etc/valkey/valkey.conf": DEPLOY / "valkey" / "valkey.conf",
        "/run/secrets/users.acl": secrets / "users.acl",
    }
    program, *options = (str(where.get(word, word)) for word in SERVICES["server"]["command"])
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
    def written(*more: str) -> dict[str, str]:
        command = ["claude-comm", "acl-file", str(tmp_path / "s"), "--host", "h:1", *more]
        subprocess.run(command, env=child_environ(), check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}

    first = written()
    second = written("--cluster", "a:1,b:2", "--module", "shop")
    assert first["progress.password"] == second["progress.password"]
    assert first["progress.control-url"] == ""
    assert second["progress.url"] == f"redis+cluster://progress:{first['progress.password']}@a:1,b:2"
    assert second["progress.control-url"] == first["progress.url"]
    assert first["progress.password"] not in first["users.acl"]
    # The gateway makes the token of Prometheus.
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} - {"prometheus.token"} <= set(first)
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0


# Kubernetes


def test_the_manifests_are_what_kubernetes_accepts() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="needs the extra `deploy`")
    for manifest in MANIFESTS:
        validate.validate(manifest, "1.33", strict=True)
    wrong = json.loads(json.dumps(WORKLOADS[0]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, "1.33", strict=True)


def test_every_worker_has_a_workload_that_runs_what_compose_runs() -> None:
    assert set(WORKER_PODS) >= set(worker_processes.WORKERS)
    for name, pod in WORKER_PODS.items():
        (container,) = pod["containers"]
        if name not in OURS:
            continue
        service = OURS[name]
        assert container["image"] == service["image"]
        assert container["args"] == service["command"]
        environ = {variable["name"]: variable["value"] for variable in container["env"]}
        assert {name: value for name, value in service["environment"].items() if name in environ} == {
            name: value for name, value in environ.items() if name != "CLAUDE_COMM_HOME"
        }
        _, *check = service["healthcheck"]["test"]
        assert container["livenessProbe"]["exec"]["command"] == check
        assert container["readinessProbe"]["exec"]["command"] == [*check, "--ready"]
        assert pod["terminationGracePeriodSeconds"] > DRAIN_S


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined_and_bounded(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert {"livenessProbe", "readinessProbe"} <= set(container)


def test_volumes_selectors_and_budgets_of_the_manifests_name_what_is_there() -> None:
    for manifest in WORKLOADS:
        spec = manifest["spec"]
        claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec["template"]["spec"].get("volumes", [])} | claims
        for container in spec["template"]["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    labels = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in WORKLOADS]
    for manifest in MANIFESTS:
        if manifest["kind"] in ("PodDisruptionBudget", "Service"):
            selector = manifest["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert any(selector.items() <= label.items() for label in labels), manifest["metadata"]
        if manifest["kind"] == "HorizontalPodAutoscaler":
            assert manifest["spec"]["scaleTargetRef"]["name"] in PODS


def test_what_scales_on_lag_names_a_metric_that_is_measured() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    scalers = [manifest for manifest in MANIFESTS if manifest["kind"] == "HorizontalPodAutoscaler"]
    assert scalers
    for scaler in scalers:
        for metric in scaler["spec"]["metrics"]:
            assert f"`{metric['external']['metric']['name']}`" in page


# systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit_and_finds_it_little_exposed(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text(encoding="utf-8")
    # The programs where they are here: it looks for them.
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    copy = tmp_path / unit.name.replace("@.", "@progress.")
    copy.write_text(text, encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)]
    assert subprocess.run(exposure, capture_output=True, check=False).returncode == 0


def test_the_unit_of_the_workers_starts_what_compose_starts_and_outwaits_its_drain() -> None:
    text = (DEPLOY / "systemd" / "claude-comm@.service").read_text(encoding="utf-8")
    options = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))
    _, *command = options["ExecStart"].replace("%i", "progress").split()
    assert command == OURS["progress"]["command"]
    assert options["Type"] == "notify"
    assert int(options["TimeoutStopSec"]) > DRAIN_S
    assert int(options["WatchdogSec"]) >= 4 * DRAIN_S
