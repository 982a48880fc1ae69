"""`compose.yaml` and `deploy`, read once: what the tests of a deployment hold to its word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import redis
import yaml

from tests.support.homes import REPOSITORY, child_environ

DEPLOY = REPOSITORY / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
# Those that run what is built here.
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in pairs]


def said(instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile() if word == instruction]


def command(name: str, secrets: Path) -> list[str]:
    """The words that the service starts, with the files of configurations and secrets where they are here."""
    service = SERVICES[name]
    where = {
        secret_path(secret["target"]): str(secret_file(secret["source"], secrets)) for secret in service["secrets"]
    }
    for config in service.get("configs", []):
        where[config["target"]] = str(REPOSITORY / COMPOSE["configs"][config["source"]]["file"])
    return [where.get(word, word) for word in service["command"]]


def secret_path(target: str) -> str:
    """Where a container finds it."""
    return f"/run/secrets/{target}"


def secret_file(secret: str, secrets: Path) -> Path:
    return secrets / Path(COMPOSE["secrets"][secret]["file"]).name


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
        return secret_file(secret, self.secrets)

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, username="admin", password=self.file("admin-password").read_text())
