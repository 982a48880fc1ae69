"""Tokens that were made a moment ago."""

from __future__ import annotations

from claude_comm.client import keyholders
from claude_comm.gateway.core.tokens import Tokens
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


def test_tokens_count_from_their_first_moment_on_however_quickly_they_are_made(
    settings: Settings, client: Client
) -> None:
    tokens = Tokens(settings, {})
    for number in range(8):
        token = keyholders.add(client, settings, f"module{number}").token
        principal = client.run(tokens.principal(token))
        assert principal is not None, number
        assert principal.name == f"module{number}"
    assert client.run(tokens.principal("guessed")) is None
