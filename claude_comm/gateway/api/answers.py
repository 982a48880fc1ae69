"""What the routes answer with, and what stands in their bodies, where no other part of the program has a type of it.

Law: types alone. A route answers with these fields and no others; the OpenAPI document is made from them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from claude_comm.delivery.burial import DeadGroup
from claude_comm.gateway.api.pipelines import RunRecord
from claude_comm.gateway.core.problems import Problem
from claude_comm.gateway.core.runs import ActiveRun
from claude_comm.gateway.live.sender import Message
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops.partners import BrokenPartner
from claude_comm.ops.registry import Standing
from claude_comm.registry.releases import Release
from claude_comm.store.session_list import SessionSummary


class Health(msgspec.Struct, frozen=True):
    status: Literal["alive", "ready", "draining", "server_unavailable"]


class Sent(msgspec.Struct, frozen=True):
    """A message that is in its stream."""

    id: str


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a batch: the id that it has, or why it was not sent."""

    id: str = ""
    error: Problem | None = None


class Batch(msgspec.Struct, frozen=True):
    """What became of each message of a batch, in its order."""

    results: list[Result]


class Replied(msgspec.Struct, frozen=True):
    reply: Any


class Asking(Message, frozen=True, kw_only=True):
    """A message that is answered, within so many seconds."""

    timeout_s: float = 30.0


class Modules(msgspec.Struct, frozen=True):
    modules: list[Standing]


class Registered(msgspec.Struct, frozen=True):
    """What registering a contract did; `broken` are the partners for whom a pending release waits."""

    module: str
    change: str | None
    broken: list[BrokenPartner]
    release: Release


class Agreements(msgspec.Struct, frozen=True):
    agreements: list[Agreement]


class Run(msgspec.Struct, frozen=True):
    """A run; `here` is null where another gateway or program runs it."""

    run: RunRecord
    here: ActiveRun | None


class Runs(msgspec.Struct, frozen=True):
    runs: list[RunRecord]


class Sessions(msgspec.Struct, frozen=True):
    sessions: list[SessionSummary]


class Dead(msgspec.Struct, frozen=True):
    groups: list[DeadGroup]


class Redriven(msgspec.Struct, frozen=True):
    module: str
    redriven: int
    would_redrive: int


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvent of version 1.0; `target`, `session`, `correlation` and `causation` are extension attributes."""

    specversion: Literal["1.0"] = "1.0"
    id: str = ""
    source: str = ""
    type: str = ""
    time: str = ""
    datacontenttype: str = ""
    target: str
    session: str = ""
    correlation: str = ""
    causation: str = ""
    data: Any = None
    data_base64: str = ""


class LoginForm(msgspec.Struct, frozen=True):
    """`next` is the page of the dashboard to go on with."""

    token: str
    next: str = "/"


class LogoutForm(msgspec.Struct, frozen=True):
    csrf: str = ""
