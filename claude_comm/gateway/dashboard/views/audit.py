"""The audit: what administrators did through this gateway."""

from __future__ import annotations

import re

import msgspec

from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.ops import audit
from claude_comm.registry.audit import Act

PAGE = 50
_ENTRY = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


class Audit(msgspec.Struct, frozen=True):
    acts: list[Act]
    before: str


def view(system: System, query: PageAddress) -> Audit:
    before = query.text("before")
    page = system.client.run(audit.page(system.keys, limit=PAGE, before=before if _ENTRY.fullmatch(before) else ""))
    return Audit(page.acts, page.before)
