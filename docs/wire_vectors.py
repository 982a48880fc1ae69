"""The test vectors of docs/wire.md: envelopes with every kind of field, and the bytes that they are on the wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from claude_comm.envelope import Envelope, encode, pack

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_TIME = 1_688_000_000_000_000
_ENVELOPES: dict[str, dict[str, Any]] = {
    "the smallest": {"id": _ID, "source": "a", "target": "b", "time": _TIME},
    "an object, of a type": {
        "id": _ID, "source": "shop", "target": "billing", "type": "invoice", "time": _TIME,
        "data": {"total": 10.5, "currency": "EUR", "lines": [1, 2], "note": None, "paid": True},
    },
    "in a session, under an agreement, to a topic": {
        "id": _ID, "source": "shop", "target": "topic:prices", "time": _TIME, "session": "Nightly run № 7",
        "correlation": "order-7", "causation": "01890a5d-ac96-774b-bcce-b302099a8056", "agreement": "277a36cec6fe",
        "data": "text, with ünïcödé",
    },
    "a request, with a deadline and headers": {
        "id": _ID, "source": "web", "target": "shop", "type": "order", "time": _TIME, "reply_to": "web/vm-1-abc",
        "expires": _TIME + 30_000_000, "headers": {"tenant": "7"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "data": [1, -1, 2**63],
    },
    "delayed, on its way through a pipeline": {
        "id": _ID, "source": "shop", "target": "billing", "time": _TIME, "not_before": _TIME + 1, "route": ["b", "c"],
        "data": {"n": -(2**31)},
    },
}  # fmt: skip


def vectors() -> str:
    """JSON: of each envelope its name, its fields, its payload and its bytes in base64."""
    return (
        json.dumps([_vector(name, fields) for name, fields in _ENVELOPES.items()], indent=1, ensure_ascii=False) + "\n"
    )


def _vector(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    data = fields.get("data")
    rest = {field: value for field, value in fields.items() if field != "data"}
    envelope = Envelope(**{**rest, "route": tuple(rest.get("route", ())), "data": msgspec.Raw(pack(data))})
    return {"name": name, "fields": rest, "data": data, "bytes": base64.b64encode(encode(envelope)).decode()}
