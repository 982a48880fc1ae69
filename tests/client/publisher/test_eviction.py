"""A server that deletes messages when its memory is full is named by the first publisher that meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.runtime import private_server
from tests.support.errors_file import errors_to


@pytest.fixture
def admin(home: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(private_server.ensure(home))) as client:
        yield client


def published(settings: Settings, face: str) -> None:
    """Two messages to two targets."""

    async def on_a_loop() -> None:
        async with AsyncPublisher("a", settings=settings) as publisher:
            await publisher.publish("b", 1)
            await publisher.publish("c", 1)

    if face == "asyncio":
        asyncio.run(on_a_loop())
    else:
        with Publisher("a", settings=settings) as publisher:
            publisher.publish("b", 1)
            publisher.publish("c", 1)


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_the_first_publisher_names_it_once(home: Path, tmp_path: Path, admin: redis.Redis, face: str) -> None:
    admin.config_set("maxmemory-policy", "allkeys-lru")
    settings = Settings(home=home, url=f"unix://:secret@{private_server.socket_path(home)}", namespace="n")
    admin.config_set("requirepass", "secret")
    with errors_to(tmp_path) as errors:
        for _ in range(2):
            published(settings, face)
    assert errors.events() == ["server.evicts"]
    (line,) = errors.lines()
    assert "allkeys-lru" in line
    assert "set it to noeviction" in line
    assert "secret" not in line


@pytest.mark.parametrize("evicts", [False, True])
def test_what_does_not_evict_or_does_not_tell_is_not_named(
    home: Path, tmp_path: Path, admin: redis.Redis, evicts: bool
) -> None:
    """A user may be without INFO; it publishes all the same."""
    admin.config_set("maxmemory-policy", "allkeys-lru" if evicts else "noeviction")
    rules = ("-info",) if evicts else ()
    admin.execute_command("ACL", "SETUSER", "sender", "on", ">secret", "~*", "+@all", *rules)
    settings = Settings(home=home, url=f"unix://sender:secret@{private_server.socket_path(home)}", namespace="n")
    with errors_to(tmp_path) as errors:
        published(settings, "blocking")
    assert errors.events() == []
    assert admin.xlen("n:{m:b}:inbox") == 1
