"""What a person changes from the dashboard: each act is checked, done once, and written into the audit.

Law: an act takes a person who may act and a form of this gateway's own page; it is audited whether it succeeded or
not, before the answer goes out. What the person saw before it is the dry run, and so the one question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from claude_comm.client.acts import act, recorded
from claude_comm.errors import ConfigurationError
from claude_comm.gateway.dashboard.query import PREFIX, PageAddress, link
from claude_comm.gateway.dashboard.system import System
from claude_comm.gateway.dashboard.views import dead, send
from claude_comm.names import check_name
from claude_comm.ops import registration


class Done(msgspec.Struct, frozen=True):
    """What came of an act, for the audit, and the page to go on with."""

    outcome: str
    href: str


Doing: TypeAlias = Callable[[System, PageAddress, str], Done]


class Doer(msgspec.Struct, frozen=True):
    """One act: where its form is sent, its verb, what it is done to, and how. `detail` tells what was chosen."""

    path: str
    verb: str
    target: Callable[[PageAddress], str]
    detail: Callable[[PageAddress], str]
    do: Doing


def perform(system: System, query: PageAddress, doer: Doer, by: str) -> Done:
    """Does it, and writes down that it was done or how it failed. Raises what the act raises."""
    begun = act(doer.verb, doer.target(query), by, doer.detail(query))
    return recorded(system.client, system.keys, begun, lambda: doer.do(system, query, by), lambda done: done.outcome)


def _redrive(system: System, query: PageAddress, _by: str) -> Done:
    moved = dead.put_back(system, query)
    return Done(f"{moved:,} put back", link("dead", query.part("module"), moved=moved or "0"))


def _purge(system: System, query: PageAddress, _by: str) -> Done:
    gone = dead.purge(system, query)
    return Done(f"{gone:,} deleted", link("dead", module=query.part("module")))


def _send(system: System, query: PageAddress, _by: str) -> Done:
    id_ = send.send(system, query)
    asked = {name: query.text(name) for name in ("target", "type", "source", "session")}
    return Done(f"sent {id_}", link("send", **asked, sent=id_))


def _approve(system: System, query: PageAddress, by: str) -> Done:
    module, partner = check_name(query.part("module")), check_name(query.text("partner"))
    operation = registration.approve(system.keys, module, query.text("version"), partner, now_us=system.now_us, by=by)
    release = system.client.run(operation)
    # The others that it waits for are approved on the page that it is on.
    shown = release.digest[:12] if release.unapproved else ""
    return Done(f"{release.version} is {release.state}", link("contracts", module, version=shown))


def _retire(system: System, query: PageAddress, by: str) -> Done:
    module, version = check_name(query.part("module")), query.text("version")
    if not version:  # without one the operation retires all, which no page here offers
        raise ConfigurationError("say which version is retired.")
    operation = registration.retire(system.keys, module, version, now_us=system.now_us, by=by)
    retired = system.client.run(operation)
    return Done(f"{len(retired)} retired", link("contracts", module))


def _module(query: PageAddress) -> str:
    return query.part("module")


def _burials(query: PageAddress) -> str:
    return dead.where(query).words


def _version(query: PageAddress) -> str:
    return f"version {query.text('version')[:12]} {query.text('partner')}".strip()


ACTS = (
    Doer(f"{PREFIX}/dead/{{module}}/redrive", "redrive", _module, _burials, _redrive),
    Doer(f"{PREFIX}/dead/{{module}}/purge", "purge", _module, _burials, _purge),
    Doer(f"{PREFIX}/contracts/{{module}}/approve", "approve", _module, _version, _approve),
    Doer(f"{PREFIX}/contracts/{{module}}/retire", "retire", _module, _version, _retire),
    Doer(
        f"{PREFIX}/send", "send", lambda query: query.text("target"),
        lambda query: f"{query.text('type')} from {query.text('source')}", _send,
    ),
)  # fmt: skip
