"""Feeds over HTTP, as server-sent events."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from claude_comm.gateway.api.messages import hub_of
from claude_comm.gateway.core.errors import unusable
from claude_comm.gateway.core.principals import require_reading
from claude_comm.gateway.core.requests import principal_of
from claude_comm.gateway.live.events import EventStream
from claude_comm.names import check_name, check_session


async def feed(request: Request) -> Response:
    """A topic, a session or everything, as server-sent events; goes on after `Last-Event-ID`."""
    principal, asked = principal_of(request), request.query_params
    topic, session, start = asked.get("topic", ""), asked.get("session", ""), asked.get("start", "new")
    if (topic and session) or start not in ("new", "oldest"):
        raise unusable("topic or session, not both; start: new or oldest.")
    if topic:
        check_name(topic, "topic")
    if session:
        check_session(session)
    require_reading(principal, *([f"topic:{topic}"] if topic else []))
    after = request.headers.get("last-event-id", "") or asked.get("after", "")
    return EventStream(hub_of(request), topic=topic, session=session, oldest=start == "oldest", after=after)
