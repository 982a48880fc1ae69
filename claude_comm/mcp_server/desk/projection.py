"""Questions to the projection, brought up to date first, on a thread beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.transport.connect import connect

R = TypeVar("R")


async def asked(settings: Settings, question: Callable[[Database], R]) -> R:
    """The answer of the projection. Raises ClaudeCommError."""
    return await asyncio.to_thread(_asked, settings, question)


def _asked(settings: Settings, question: Callable[[Database], R]) -> R:
    most = settings.projection_payload_bytes
    with connect(settings) as client, open_database(settings.database, max_payload_bytes=most) as database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
        return question(database)
