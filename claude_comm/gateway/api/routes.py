"""The table of all routes of the HTTP side: what each takes, who may use it, and what it answers.

Law: the application and its OpenAPI document are both made from this table; a route that is not in it is not served.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from claude_comm.gateway.api import decisions, documents, feeds, health, login, messages, pipelines, system
from claude_comm.gateway.api.answers import (
    Agreements,
    Asking,
    Batch,
    CloudEvent,
    Dead,
    Health,
    LoginForm,
    LogoutForm,
    Modules,
    Redriven,
    Registered,
    Replied,
    Run,
    Runs,
    Sent,
    Sessions,
)
from claude_comm.gateway.live.cloudevents_in import BATCH, STRUCTURED
from claude_comm.gateway.live.events import MEDIA
from claude_comm.gateway.live.sender import Message
from claude_comm.impact.effects import Impact
from claude_comm.pipeline.check import PipelineReport
from claude_comm.registry.contracts import Contract
from claude_comm.report.figures import Report
from claude_comm.schema.verdict import Verdict
from claude_comm.store.session_list import SessionDetail

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

MARKDOWN = "text/markdown"
JSON, FORM, HTML, TEXT = "application/json", "application/x-www-form-urlencoded", "text/html", "text/plain"
OPENMETRICS = "application/openmetrics-text"
# Who may: anybody; whoever shows a token; and the scopes of docs/gateway.md.
OPEN, TOKEN, OWN, SIDE, READ_ALL, READ_MODULE, READ_TOPIC, ADMIN, SEND = (
    "", "token", "the module itself, or admin", "a module of the pair, or admin", "read:*", "read:{module}",
    "read:topic:{topic}, or read:*", "admin", "send:{target}",
)  # fmt: skip


class Media(msgspec.Struct, frozen=True):
    """An answer that is not JSON, by its types of media; none where there is no body."""

    types: tuple[str, ...] = ()


class Parameter(msgspec.Struct, frozen=True):
    """A parameter in the address or a header; `kind` is its type."""

    name: str
    kind: Any
    meaning: str
    place: Literal["query", "header"] = "query"


class ApiRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `takes` and `answers` are types by type of media and by status, several where it is one of them;
    `refusals` are the statuses of problems beside those that every route may answer with.
    """

    method: Literal["GET", "POST", "PUT"]
    path: str
    endpoint: Endpoint
    scope: str
    answers: Mapping[int, Any]
    takes: Mapping[str, Any] = {}
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    # Other forms of the answer, as files.
    files: tuple[str, ...] = ()

    def mounted(self) -> Route:
        return Route(self.path, self.endpoint, methods=[self.method])


_LIMIT = Parameter("limit", Annotated[int, msgspec.Meta(ge=1, le=1_000)], "At most so many; 100 unless it is said.")
_AFTER = Parameter("after", str, "The last session of the page before.")
_SESSION = Parameter("session", str, "One session alone.")
_SINCE = Parameter(
    "since_s", Annotated[int, msgspec.Meta(ge=0, le=10**9 - 1)], "What was sent in so many seconds up to now."
)
_FORMAT = Parameter("format", Literal["json", "md", "html"], "JSON unless it is said.")
_ROWS = Parameter("rows", Annotated[int, msgspec.Meta(ge=0, le=decisions.MOST_ROWS)], "List so many messages too.")
_TOPIC = Parameter("topic", str, "One topic alone.")
_START = Parameter("start", Literal["new", "oldest"], "Where to begin without a Last-Event-ID.")
_RESUME = Parameter("Last-Event-ID", str, "Go on after this event.", "header")
_CODE = Parameter("code", str, "The one-time code of `claude-comm gateway --open`.")
_NEXT = Parameter("next", str, "The page of the dashboard to go on with.")
_OVER = Parameter("over", str, "Given where a login has ended: the page says so.")
_SENDING = {JSON: Message, STRUCTURED: CloudEvent, BATCH: list[CloudEvent]}

ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute(
        method="GET", path="/healthz", endpoint=health.alive, scope=OPEN, answers={200: Health},
    ),
    ApiRoute(
        method="GET", path="/readyz", endpoint=health.ready, scope=OPEN, answers={200: Health, 503: Health},
    ),
    ApiRoute(
        method="GET", path="/metrics", endpoint=health.metrics, scope=READ_ALL,
        answers={200: Media((TEXT, OPENMETRICS))},
    ),
    ApiRoute(
        method="GET", path="/openapi.json", endpoint=documents.openapi, scope=OPEN, answers={200: dict[str, Any]},
    ),
    ApiRoute(
        method="GET", path="/asyncapi.json", endpoint=documents.asyncapi, scope=OPEN, answers={200: dict[str, Any]},
    ),
    ApiRoute(
        method="GET", path="/login", endpoint=login.show, scope=OPEN, parameters=(_CODE, _NEXT, _OVER),
        answers={200: Media((HTML,)), 303: Media(), 403: Media((HTML,))},
    ),
    ApiRoute(
        method="POST", path="/login", endpoint=login.enter, scope=OPEN, takes={FORM: LoginForm},
        answers={303: Media(), 403: Media((HTML,))},
    ),
    ApiRoute(
        method="POST", path="/logout", endpoint=login.leave, scope=TOKEN, takes={FORM: LogoutForm},
        answers={303: Media()},
    ),
    ApiRoute(
        method="POST", path="/v1/messages", endpoint=messages.send, scope=SEND, takes=_SENDING,
        answers={202: (Sent, Batch), 207: Batch}, refusals=(404, 409, 422, 429),
    ),
    ApiRoute(
        method="POST", path="/v1/requests", endpoint=messages.request_reply, scope=SEND, takes={JSON: Asking},
        answers={200: Replied}, refusals=(404, 409, 422, 429, 502, 504),
    ),
    ApiRoute(
        method="GET", path="/v1/modules", endpoint=system.modules, scope=READ_ALL, answers={200: Modules},
    ),
    ApiRoute(
        method="GET", path="/v1/modules/{module}/contract", endpoint=system.contract, scope=TOKEN,
        answers={200: Contract}, refusals=(404,),
    ),
    ApiRoute(
        method="PUT", path="/v1/modules/{module}/contract", endpoint=system.register, scope=OWN,
        takes={JSON: documents.CONTRACT}, answers={200: Registered}, refusals=(409, 422),
    ),
    ApiRoute(
        method="GET", path="/v1/modules/{module}/dead", endpoint=system.dead, scope=READ_MODULE,
        answers={200: Dead}, refusals=(404,),
    ),
    ApiRoute(
        method="POST", path="/v1/modules/{module}/dead/redrive", endpoint=system.redrive, scope=ADMIN,
        takes={JSON: system.Redrive}, answers={200: Redriven}, refusals=(404,),
    ),
    ApiRoute(
        method="GET", path="/v1/agreements", endpoint=system.agreed, scope=READ_ALL, parameters=(_LIMIT,),
        answers={200: Agreements},
    ),
    ApiRoute(
        method="POST", path="/v1/check", endpoint=system.verdict, scope=TOKEN, takes={JSON: system.Asked},
        answers={200: Verdict}, refusals=(422,),
    ),
    ApiRoute(
        method="POST", path="/v1/negotiate", endpoint=decisions.negotiate, scope=SIDE,
        takes={JSON: decisions.Negotiation}, answers={200: Agreements}, refusals=(404, 409, 422),
    ),
    ApiRoute(
        method="POST", path="/v1/modules/{module}/impact", endpoint=decisions.impact, scope=READ_ALL,
        takes={JSON: decisions.Change}, answers={200: Impact}, refusals=(404, 422),
    ),
    ApiRoute(
        method="GET", path="/v1/report", endpoint=decisions.report, scope=READ_ALL,
        parameters=(_SESSION, _SINCE, _FORMAT, _ROWS), answers={200: Report}, refusals=(404,),
        files=(HTML, MARKDOWN),
    ),
    ApiRoute(
        method="POST", path="/v1/pipelines/check", endpoint=pipelines.check, scope=TOKEN,
        takes={JSON: pipelines.Checking}, answers={200: PipelineReport}, refusals=(422,),
    ),
    ApiRoute(
        method="GET", path="/v1/pipelines", endpoint=pipelines.runs, scope=READ_ALL, parameters=(_LIMIT,),
        answers={200: Runs},
    ),
    ApiRoute(
        method="POST", path="/v1/pipelines", endpoint=pipelines.start, scope=ADMIN,
        takes={JSON: pipelines.Starting}, answers={202: Run}, refusals=(404, 409, 422),
    ),
    ApiRoute(
        method="GET", path="/v1/pipelines/{session}", endpoint=pipelines.run, scope=READ_ALL,
        answers={200: Run}, refusals=(404,),
    ),
    ApiRoute(
        method="GET", path="/v1/feed", endpoint=feeds.feed, scope=READ_TOPIC,
        parameters=(_TOPIC, _SESSION, _START, _RESUME), answers={200: Media((MEDIA,))},
    ),
    ApiRoute(
        method="GET", path="/v1/sessions", endpoint=system.sessions, scope=READ_ALL, parameters=(_LIMIT, _AFTER),
        answers={200: Sessions},
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session}", endpoint=system.session, scope=READ_ALL,
        answers={200: SessionDetail}, refusals=(404,),
    ),
)  # fmt: skip
