"""`compose.yaml`: held to its published schema, and each service confined, bounded and pinned."""

from __future__ import annotations

import json
import re

import pytest

from claude_comm.cli.app import ENTRIES
from claude_comm.runtime import worker_processes
from claude_comm.runtime.signals import DRAIN_S
from tests.support.deployment import COMPOSE, OURS, SERVICES, said
from tests.support.homes import REPOSITORY


def seconds(text: str) -> int:
    return int(re.fullmatch(r"(\d+)s", text)[1])  # type: ignore[index]


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
