"""Namespaces in which signatures are demanded, and those who write there what they may not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm import Settings
from claude_comm.client import keyholders
from claude_comm.effects import Command
from claude_comm.runtime import key_files
from claude_comm.settings import Signing
from claude_comm.transport.driver import Client

SERVICES = ("progress", "janitor", "negotiation", "operator")


def signed(
    settings: Settings,
    client: Client,
    modules: Sequence[str] = ("a", "b"),
    services: Sequence[str] = SERVICES,
    signing: Signing = "require",
) -> Settings:
    """Settings under which signatures count, with keys of these modules and services in the home."""
    for holder in (*modules, *services):
        added = keyholders.add(client, settings, holder, role="service" if holder in SERVICES else "module")
        key_files.save(key_files.path_of(settings.home, holder), added.pair)
    return msgspec.structs.replace(settings, signing=signing)


def forge(client: Client, stream: str, body: bytes) -> str:
    """Somebody who reaches the server puts an envelope there; the id of its entry."""
    entry: bytes = client.data.one(Command(("XADD", stream, "*", "e", body)))
    return entry.decode()
