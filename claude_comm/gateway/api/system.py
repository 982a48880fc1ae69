"""Contracts, agreements, verdicts, sessions and dead letters over HTTP: the operations of the command line.

Law: what shows all modules takes the scope read:*, what changes something the scope admin; a module registers its own
contract. Verdicts run beside the event loop, within the gateway's own budget, and nothing that a schema refers to is
fetched.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm.client import dead_letters
from claude_comm.client.acts import act, recorded
from claude_comm.client.contract_documents import from_document
from claude_comm.client.identity import micros, millis
from claude_comm.delivery.burial import Where, groups
from claude_comm.errors import UnknownModule, UnknownSession
from claude_comm.gateway.core.errors import forbidden, unusable
from claude_comm.gateway.core.principals import require_admin, require_reading
from claude_comm.gateway.core.requests import answer, convert, gateway_of, json_of, limit_of, principal_of
from claude_comm.names import check_name
from claude_comm.ops import agreements, registration, registry
from claude_comm.schema.bounded import check
from claude_comm.store import session_list


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two schemas; `budget_ms` is bounded by the gateway's own."""

    produced: Any
    accepted: Any
    policy: str = "closed-producer"
    budget_ms: float = 2_000.0


class Redrive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which burials go back, as in `dead redrive`; with `dry_run` they are only counted."""

    reason: str = ""
    type: str = ""
    path: str = ""
    source: str = ""
    limit: int = 0
    dry_run: bool = False


async def modules(request: Request) -> Response:
    """All registered modules, with their releases and instances."""
    require_reading(principal_of(request))
    gateway = gateway_of(request)
    directory = await gateway.client.run(registry.everyone(gateway.keys, now_ms=millis()))
    return answer({"modules": directory.modules})


async def contract(request: Request) -> Response:
    """The newest contract of a module: what a partner needs to know to write to it."""
    principal_of(request)
    gateway, name = gateway_of(request), check_name(request.path_params["module"])
    return answer(await gateway.client.run(registry.require(gateway.keys, name)))


async def register(request: Request) -> Response:
    """Registers the contract of the module that asks, held to what its `compatibility` promises."""
    gateway, principal, name = gateway_of(request), principal_of(request), request.path_params["module"]
    if not (principal.admin or (principal.is_module and principal.name == name)):
        raise forbidden(f"{principal.name} registers its own contract alone.")
    document = await json_of(request)
    if not isinstance(document, dict) or document.get("module", name) != name:
        raise unusable(f"the body is the contract of {name}, a JSON object.")
    declared = from_document({**document, "module": name}, "the body")
    declared = msgspec.structs.replace(declared, registered_us=micros())
    done = await gateway.blocking(lambda client: client.run(registration.register(gateway.keys, declared)))
    return answer({"module": name, "change": done.change, "broken": done.broken, "release": done.release})


async def agreed(request: Request) -> Response:
    """The stored agreements and refusals, the newest first."""
    require_reading(principal_of(request))
    gateway, limit = gateway_of(request), limit_of(request)
    stored = await gateway.client.run(agreements.everything(gateway.keys))
    return answer({"agreements": stored.agreements[:limit]})


async def verdict(request: Request) -> Response:
    """Whether every message of the one schema is one of the other."""
    principal_of(request)
    gateway = gateway_of(request)
    asked = convert(await json_of(request), Asked)
    if asked.policy not in ("closed-producer", "strict"):
        raise unusable("policy: closed-producer or strict.")
    budget_ms = min(max(asked.budget_ms, 1.0), gateway.options.limits.budget_ms)
    policy: Any = asked.policy
    return answer(
        await gateway.blocking(lambda _: check(asked.produced, asked.accepted, policy=policy, budget_ms=budget_ms))
    )


async def sessions(request: Request) -> Response:
    """The session that was active last first; `after` is the last one of the page before."""
    require_reading(principal_of(request))
    gateway, limit, after = gateway_of(request), limit_of(request), request.query_params.get("after", "")
    page = await gateway.projected(lambda database: session_list.sessions(database, limit=limit, after=after))
    return answer({"sessions": page})


async def session(request: Request) -> Response:
    """One session with its hops, tasks and members."""
    require_reading(principal_of(request))
    name = request.path_params["session"]
    detail = await gateway_of(request).projected(lambda database: session_list.session(database, name))
    if detail is None:
        raise UnknownSession(name)
    return answer(detail)


async def dead(request: Request) -> Response:
    """The buried messages of a module, grouped by reason and place."""
    gateway, name = gateway_of(request), check_name(request.path_params["module"])
    require_reading(principal_of(request), name)
    found = await gateway.blocking(lambda client: groups(dead_letters.walk(client, gateway.settings, name, Where())))
    return answer({"groups": found})


async def redrive(request: Request) -> Response:
    """Puts buried messages back into the inbox of their module."""
    gateway, name = gateway_of(request), check_name(request.path_params["module"])
    principal = principal_of(request)
    require_admin(principal)
    asked = convert(await json_of(request), Redrive)
    if asked.limit < 0:
        raise unusable("limit: 0 for all, or how many.")
    chosen = Where(asked.reason, asked.type, asked.path, asked.source)
    if not await gateway.client.run(registry.is_registered(gateway.keys, name)):
        raise UnknownModule(name, await gateway.client.run(registry.names(gateway.keys)))
    if asked.dry_run:
        count = await gateway.blocking(
            lambda client: sum(1 for _ in dead_letters.walk(client, gateway.settings, name, chosen))
        )
        return answer({"module": name, "redriven": 0, "would_redrive": min(count, asked.limit or count)})
    begun = act("redrive", name, principal.name, chosen.words)
    moved = await gateway.blocking(
        lambda client: recorded(
            client,
            gateway.keys,
            begun,
            lambda: dead_letters.redrive(client, gateway.settings, name, chosen, limit=asked.limit or None),
            "{:,} put back".format,
        )
    )
    return answer({"module": name, "redriven": moved, "would_redrive": 0})
