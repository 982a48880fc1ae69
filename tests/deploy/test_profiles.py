"""The profiles of `compose.yaml`: what they read is where they look, and what they run does what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from claude_comm.runtime import private_server
from tests.support.deployment import COMPOSE, SERVICES, command
from tests.support.homes import REPOSITORY, child_environ
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until


def test_what_the_observing_services_read_is_mounted_where_they_look() -> None:
    """Prometheus finds its rules, Grafana its source and its dashboard."""
    mounted = {c["target"]: REPOSITORY / COMPOSE["configs"][c["source"]]["file"] for c in _configs("prometheus")}
    main = yaml.safe_load(mounted["/etc/prometheus/prometheus.yml"].read_text(encoding="utf-8"))
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    for file in main["rule_files"]:
        assert yaml.safe_load(mounted[f"/etc/prometheus/{file}"].read_text(encoding="utf-8"))["groups"]
    mounted = {c["target"]: REPOSITORY / COMPOSE["configs"][c["source"]]["file"] for c in _configs("grafana")}
    by_folder = {str(Path(target).parent): file for target, file in mounted.items()}
    sources = yaml.safe_load(by_folder["/etc/grafana/provisioning/datasources"].read_text())["datasources"]
    assert {source["type"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090",
        "jaeger": "http://jaeger:16686",
    }
    assert [source["type"] for source in sources if source.get("isDefault")] == ["prometheus"]
    (provider,) = yaml.safe_load(by_folder["/etc/grafana/provisioning/dashboards"].read_text())["providers"]
    assert json.loads(by_folder[provider["options"]["path"]].read_text(encoding="utf-8"))["panels"]


def test_the_collector_of_traces_listens_where_the_ports_lead_and_keeps_what_it_shows() -> None:
    (config,), service = _configs("jaeger"), SERVICES["jaeger"]
    assert service["command"] == ["--config", config["target"]]
    collector = yaml.safe_load((REPOSITORY / COMPOSE["configs"]["jaeger"]["file"]).read_text(encoding="utf-8"))
    extensions, receivers = collector["extensions"], collector["receivers"]
    protocols = receivers["otlp"]["protocols"]
    listening = [protocols["grpc"], protocols["http"], extensions["jaeger_query"]["http"]]
    ports = [port.rpartition(":")[2] for port in service["ports"]]
    assert [place["endpoint"] for place in listening] == [f"0.0.0.0:{port}" for port in ports]
    asked = service["healthcheck"]["test"][-1]
    assert f":{extensions['healthcheckv2']['http']['endpoint'].rpartition(':')[2]}/" in asked
    (pipeline,) = collector["service"]["pipelines"].values()
    assert set(pipeline["receivers"]) == set(receivers)
    assert set(pipeline["processors"]) == set(collector["processors"])
    assert set(pipeline["exporters"]) == set(collector["exporters"])
    assert set(collector["service"]["extensions"]) == set(extensions)
    kept = collector["exporters"]["jaeger_storage_exporter"]["trace_storage"]
    assert kept == extensions["jaeger_query"]["storage"]["traces"]
    assert kept in extensions["jaeger_storage"]["backends"]


def _configs(name: str) -> list[dict[str, str]]:
    configs: list[dict[str, str]] = SERVICES[name]["configs"]
    return configs


@pytest.mark.long
def test_the_joining_script_makes_one_cluster_of_the_three_masters_and_runs_twice(tmp_path: Path) -> None:
    """The commands of compose.yaml, each master on a loopback address of its own."""
    tool = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if tool is None or sys.platform != "linux":
        pytest.skip("needs valkey-cli or redis-cli, and several loopback addresses")
    # The masters talk to each other on a port that is 10,000 higher.
    secrets, port = tmp_path / "secrets", next(port for port in iter(free_port, 0) if port < 55_000)
    made = ["claude-comm", "acl-file", str(secrets), "--cluster", f"node-1:{port}"]
    subprocess.run(made, env=child_environ(CLAUDE_COMM_HOME=str(tmp_path)), check=True, capture_output=True)
    places = {f"node-{number}": f"127.0.0.{number + 1}" for number in (1, 2, 3)}
    # What the container has: names that lead to addresses, and the client of the server's own version.
    tools = tmp_path / "tools"
    tools.mkdir()
    known = " ".join(f"{name}) echo {address} {name};;" for name, address in places.items())
    (tools / "getent").write_text(f'#!/bin/sh\ncase "$2" in {known} esac\n')
    (tools / "valkey-cli").write_text(
        f'#!/bin/sh\nif [ "$1" = -h ]; then shift 2; set -- -h {places["node-1"]} -p {port} "$@"; fi\n'
        f'exec {tool} "$@"\n'
    )
    for file in tools.iterdir():
        file.chmod(0o755)
    join = SERVICES["cluster-join"]
    (script,) = join["command"]
    script = script.replace("$$", "$").replace(":6379", f":{port}")
    script = script.replace("/run/secrets/admin-password", str(secrets / "admin.password"))
    environ = child_environ() | {"PATH": f"{tools}:{os.environ['PATH']}"}
    with ExitStack() as stack:
        for name, address in places.items():
            _, *options = command(name, secrets)
            folder = tmp_path / name
            folder.mkdir()
            here = ["--port", str(port), "--bind", address, "--dir", str(folder), "--logfile", str(folder / "log")]
            # From one loopback address to another the system may take a third as the sender's.
            here += ["--cluster-announce-ip", address, "--bind-source-addr", address]
            process = subprocess.Popen([str(private_server.binary()), *options, *here])
            stack.callback(process.wait)
            stack.callback(process.kill)
            client = stack.enter_context(redis.Redis(address, port, retry=Retry(ConstantBackoff(0.1), 100)))
            assert client.ping()
        for _ in range(2):
            done = subprocess.run(
                [*join["entrypoint"], script], env=environ, capture_output=True, text=True, check=False,
                timeout=PATIENCE_S,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
        admin = {"username": "admin", "password": (secrets / "admin.password").read_text()}
        for address in places.values():
            with redis.Redis(address, port, **admin) as client:
                wait_until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
                assert int(client.execute_command("CLUSTER INFO")["cluster_known_nodes"]) == len(places)
