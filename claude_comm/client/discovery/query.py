"""A query from what a caller gives: messages as JSON has them, everything else checked."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.client.arguments import check_kind, check_text
from claude_comm.discovery.query import Query
from claude_comm.json_form import json_form
from claude_comm.names import check_name
from claude_comm.registry.contracts import Contract


def query_of(accepts: Any, produces: Any, fits: Any, type: Any, capability: Any, name: Any, live: Any) -> Query:
    """Raises ConfigurationError."""
    return Query(
        accepts=_message(accepts),
        produces=_message(produces),
        fits=None if fits is None else check_kind("fits", fits, Contract),
        type=check_name(type, "message type") if type != "" else "",
        capability=check_name(capability, "capability") if capability != "" else "",
        name=check_text("name", name),
        live=check_kind("live", live, bool),
    ).check()


def _message(given: Any) -> Any:
    return given if given is msgspec.UNSET else json_form(given)
