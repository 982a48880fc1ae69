"""Users of the shared server, gone after the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm import Settings
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.security.access import ANYBODY, Partners, Role, rules, server_of, user_words
from claude_comm.transport.driver import Client
from tests.support.access import NewUser


@pytest.fixture
def new_user(settings: Settings, client: Client) -> Iterator[NewUser]:
    """Makes the user of a role on the shared server, and gives the settings with which it connects."""
    made: list[str] = []
    server = server_of(client.data.one(Command(("INFO", "server"))))

    def new_user_(role: Role, name: str = "", partners: Partners = ANYBODY) -> Settings:
        user = f"{settings.namespace}-{name or role}"
        words = user_words(rules(Keys(settings.namespace), role, name, partners), server)
        client.data.one(Command(("ACL", "SETUSER", user, *words, ">secret")))
        made.append(user)
        home = settings.home / user
        home.mkdir(mode=0o700)
        path = settings.url.removeprefix("unix://")
        return Settings(home=home, url=f"unix://{user}:secret@{path}", namespace=settings.namespace)

    yield new_user_
    for user in made:
        client.data.one(Command(("ACL", "DELUSER", user)))
