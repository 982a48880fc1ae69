"""The documents that describe the gateway to programs: OpenAPI of its HTTP side, AsyncAPI of its WebSocket."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm import documents as forms
from claude_comm.gateway.core.requests import answer


def _contract() -> dict[str, Any]:
    """The form of a contract as the command line checks it; the address already says whose it is."""
    form = msgspec.json.decode((Path(forms.__file__).parent / "contract.json").read_bytes())
    return {name: value for name, value in form.items() if name not in ("$schema", "required")}


CONTRACT = _contract()


async def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document of the HTTP side."""
    return answer(cast(dict[str, Any], request.app.state.openapi))


async def asyncapi(request: Request) -> Response:
    """The AsyncAPI 3 document of the WebSocket."""
    return answer(cast(dict[str, Any], request.app.state.asyncapi))
