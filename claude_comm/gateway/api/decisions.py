"""Negotiations, what a change would break, and reports over HTTP: the operations of the command line.

Law: a module negotiates what it sends or reads itself, and makes a counter-proposal for its own side alone. What shows
messages of others takes the scope read:*.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm.client.contract_documents import from_document
from claude_comm.client.identity import micros
from claude_comm.client.impact.assessment import ImpactScope, assess
from claude_comm.client.publisher.declared import countered, negotiated
from claude_comm.client.reports import negotiated as decided
from claude_comm.errors import UnknownSession
from claude_comm.gateway.core.errors import forbidden, unusable
from claude_comm.gateway.core.principals import Principal, require_reading
from claude_comm.gateway.core.requests import answer, convert, gateway_of, json_of, number_of, principal_of
from claude_comm.impact.effects import Impact
from claude_comm.names import check_name, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.dialogue import Counter
from claude_comm.report.figures import Report
from claude_comm.report.html import html
from claude_comm.report.markdown import markdown
from claude_comm.store import report_figures
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from claude_comm.version import __version__

# Messages of one flow that are replayed one by one, so that an answer comes while its reader waits.
MOST_REPLAYED = 20_000
MOST_DAYS, MOST_ROWS = 3_650, 10_000
HTML, MARKDOWN = "text/html; charset=utf-8", "text/markdown; charset=utf-8"


class Negotiation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who sends, who reads (a module, or `topic:NAME`), one type or all; and a counter-proposal after a refusal."""

    producer: str
    consumer: str
    type: str = ""
    counter: Counter | None = None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The new contract; weighed against the traffic of so many days, at most so many messages of a flow replayed."""

    contract: dict[str, Any]
    days: int = 30
    most: int = MOST_REPLAYED


async def negotiate(request: Request) -> Response:
    """Negotiates what one registered module declares for another; with `counter`, a round of their dialogue."""
    gateway, principal = gateway_of(request), principal_of(request)
    asked = convert(await json_of(request), Negotiation)
    check_name(asked.producer, "producer")
    check_target(asked.consumer)
    _require_side(principal, asked)

    def work(client: Client) -> list[Agreement]:
        outcomes = negotiated(client, gateway.settings, asked.producer, asked.consumer, asked.type)
        if asked.counter is not None:
            return [countered(client, gateway.settings, outcomes, asked.counter)]
        return [agreement for agreements in outcomes for agreement in agreements]

    return answer({"agreements": await gateway.blocking(work)})


def _require_side(principal: Principal, asked: Negotiation) -> None:
    if principal.admin:
        return
    own = {"producer": asked.producer, "consumer": asked.consumer}
    if not principal.is_module or principal.name not in own.values():
        raise forbidden(f"{principal.name} negotiates what it sends or reads itself.")
    if asked.counter is not None and own[asked.counter.by] != principal.name:
        raise forbidden(f"{principal.name} makes no counter-proposal for the {asked.counter.by}, which it is not.")


async def impact(request: Request) -> Response:
    """What breaks if a module registers this contract: proofs, replayed messages, sessions and pipelines."""
    require_reading(principal_of(request))
    gateway, name = gateway_of(request), check_name(request.path_params["module"])
    asked = convert(await json_of(request), Change)
    if not 1 <= asked.days <= MOST_DAYS or not 0 <= asked.most <= MOST_REPLAYED:
        raise unusable(f"days: from 1 to {MOST_DAYS:,}; most: from 0 to {MOST_REPLAYED:,}.")
    if asked.contract.get("module", name) != name:
        raise unusable(f"contract: it is that of {name}.")
    new = from_document({**asked.contract, "module": name}, "contract")
    scope = ImpactScope(days=asked.days, most=asked.most)
    settings = gateway.settings

    def work(client: Client) -> Impact:
        with open_database(settings.database, max_payload_bytes=settings.projection_payload_bytes) as database:
            return assess(client, database, settings, new, scope)

    return answer(await gateway.blocking(work))


async def report(request: Request) -> Response:
    """The report of a session, of a time, or of everything: JSON, Markdown, or a page to be kept."""
    require_reading(principal_of(request))
    gateway, asked = gateway_of(request), request.query_params
    session, form = asked.get("session", ""), asked.get("format", "json")
    since_s, rows = number_of(request, "since_s", 0, 10**9 - 1), number_of(request, "rows", 0, MOST_ROWS)
    if form not in ("json", "md", "html") or (session and since_s):
        raise unusable("format: json, md or html; and session or since_s, not both.")
    now_us = micros()
    scope = report_figures.ReportScope(
        session, now_us - since_s * 1_000_000 if since_s else 0, f"{since_s:,} s" if since_s else ""
    )
    rounds = await gateway.blocking(lambda client: decided(client, gateway.keys))
    figures: Report = await gateway.projected(
        lambda database: report_figures.report(
            database, scope, now_us=now_us, version=__version__, agreements=rounds, lines=rows
        )
    )
    if session and not figures.summary.messages and not figures.tasks and not figures.files:
        raise UnknownSession(session)
    return _written(figures, form)


def _written(figures: Report, form: str) -> Response:
    if form == "json":
        return answer(figures)
    # A page of its own style would ask for a weaker policy than the gateway's: it is a file to be kept, not shown here.
    name = f"report.{form}"
    text, kind = (html(figures), HTML) if form == "html" else (markdown(figures), MARKDOWN)
    return Response(text, headers={"content-type": kind, "content-disposition": f'attachment; filename="{name}"'})
