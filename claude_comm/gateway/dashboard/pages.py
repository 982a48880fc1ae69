"""The pages of the dashboard and their addresses: which view and which template each has.

Law: a page is found by its path and shown by GET; whatever changes something is an act (`acts`), found by POST.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from claude_comm.gateway.dashboard.query import PREFIX, PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.gateway.dashboard.views import (
    agreements,
    audit,
    contracts,
    dead,
    flows,
    messages,
    overview,
    send,
    sessions,
    streams,
    topology,
    what_if,
    workers,
)

View: TypeAlias = Callable[[System, PageAddress], msgspec.Struct]


class Page(msgspec.Struct, frozen=True):
    """One page. `section` is the entry of the navigation that it belongs to; `every_ms` is how often a browser that
    shows it asks for it again, 0 for never: at most four times a second."""

    path: str
    view: View
    template: str
    title: str
    section: str
    every_ms: int = 0


class NavigationEntry(msgspec.Struct, frozen=True):
    """One entry of the navigation."""

    path: str
    title: str
    section: str


MIN_EVERY_MS = 250

# Path below the prefix, view, template, title, section, and every how many milliseconds it is asked for again.
_ROWS: tuple[tuple[str, View, str, str, str, int], ...] = (
    ("/topology", topology.view, "topology", "Map", "topology", 2_000),
    ("/flows", flows.view, "flows", "Flows", "flows", 1_000),
    ("/contracts", contracts.contracts, "contracts", "Contracts", "contracts", 0),
    ("/contracts/{module}", contracts.module, "contract", "{module}", "contracts", 0),
    ("/agreements", agreements.listed, "agreements", "Agreements", "agreements", 0),
    ("/agreements/{id}", agreements.agreement, "agreement", "Agreement", "agreements", 0),
    ("/what-if", what_if.ask, "what_if", "What if", "what-if", 0),
    ("/streams", streams.view, "streams", "Streams", "streams", 1_000),
    ("/messages", messages.listed, "messages", "Messages", "messages", 1_000),
    ("/messages/{reference}", messages.one, "message", "Message {reference}", "messages", 2_000),
    ("/send", send.form, "send", "Send", "messages", 0),
    ("/dead", dead.listed, "dead", "Dead letters", "dead", 0),
    ("/dead/{module}", dead.plan, "redrive", "Dead letters of {module}", "dead", 0),
    ("/sessions", sessions.listed, "sessions", "Sessions", "sessions", 2_000),
    ("/sessions/{name:path}", sessions.one, "session", "Session {name}", "sessions", 1_000),
    ("/workers", workers.view, "workers", "Health", "workers", 2_000),
    ("/audit", audit.view, "audit", "Audit", "audit", 0),
)
PAGES = (
    Page("/", overview.view, "overview", "Overview", "overview", 1_000),
    *(Page(PREFIX + row[0], row[1], row[2], row[3], row[4], row[5]) for row in _ROWS),
)
# One entry a section: its first page.
NAVIGATION = list(
    {page.section: NavigationEntry(page.path, page.title, page.section) for page in reversed(PAGES)}.values()
)[::-1]
