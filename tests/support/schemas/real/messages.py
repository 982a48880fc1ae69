"""What programs send each other: parts told by a tag, events with a shared head, remote calls."""

from __future__ import annotations

from tests.support.schemas.real.words import (
    EMAIL,
    SLUG,
    Schema,
    array,
    document,
    either,
    flag,
    listed,
    maps,
    matching,
    record,
    ref,
    tagged,
    text,
    whole,
)

COUNTRIES = [chr(65 + i // 26 % 26) + chr(65 + i % 26) for i in range(249)]

CURRENCIES = [chr(65 + i // 26 % 26) + chr(65 + i % 26) + chr(65 + i % 7) for i in range(170)]


def conversation() -> Schema:
    parts = tagged(
        "type",
        {
            "text": {"text": text(), "citations": either({"type": "null"}, array(ref("citation")))},
            "image": {"source": ref("source")},
            "tool_use": {
                "id": matching("^[a-zA-Z0-9_-]+$"),
                "name": text(minLength=1, maxLength=200),
                "input": {"type": "object"},
            },
            "tool_result": {"tool_use_id": text(), "content": either(text(), array(ref("part"))), "is_error": flag()},
            "thinking": {"thinking": text(), "signature": text()},
            "document": {"source": ref("source"), "title": either(text(maxLength=500), {"type": "null"})},
        },
    )
    return document(
        record(
            {
                "model": text(minLength=1),
                "max_tokens": whole(minimum=1),
                "temperature": {"type": "number", "minimum": 0, "maximum": 1},
                "system": either(text(), array(ref("part"))),
                "messages": array(ref("message"), minItems=1),
                "tools": array(ref("tool")),
                "tool_choice": tagged("type", {"auto": {}, "any": {}, "tool": {"name": text()}}),
                "stop": array(text(minLength=1), maxItems=16),
                "metadata": maps(text(maxLength=512)),
            },
            "model",
            "max_tokens",
            "messages",
        ),
        {
            "message": record(
                {"role": listed("user", "assistant"), "content": either(text(), array(ref("part")))}, "role", "content"
            ),
            "part": parts,
            "source": tagged(
                "type",
                {
                    "base64": {"data": text(), "media": listed("image/png", "image/jpeg", "image/webp")},
                    "url": {"url": text(format="uri")},
                    "file": {"file_id": text()},
                },
            ),
            "citation": record({"cited": text(), "start": whole(minimum=0), "end": whole(minimum=0)}, "cited"),
            "tool": record(
                {
                    "name": matching("^[a-zA-Z0-9_-]{1,64}$"),
                    "description": text(),
                    "input": record({"type": {"const": "object"}, "properties": {"type": "object"}}, "type"),
                },
                "name",
                "input",
            ),
        },
        "conversation",
    )


def events() -> Schema:
    kinds = [
        f"{noun}.{verb}"
        for noun in ("order", "parcel", "invoice", "refund", "account", "cart", "session", "device")
        for verb in ("created", "changed", "closed", "failed", "restored")
    ]
    payloads: dict[str, Schema] = {
        kind: {"data": ref(kind.split(".")[0]), "reason": text(), "previous": maps(True)} for kind in kinds
    }
    base: Schema = {"id": text(format="uuid"), "at": text(format="date-time"), "version": whole(minimum=1)}
    records = {
        noun: record({**base, "items": array(ref("line")), "total": ref("money"), "owner": ref("party")}, "id")
        for noun in dict.fromkeys(kind.split(".")[0] for kind in kinds)
    }
    return document(
        {"allOf": [record(base, "id", "at"), tagged("kind", payloads)]},
        {
            **records,
            "line": record({"sku": matching(SLUG), "count": whole(minimum=1), "price": ref("money")}, "sku", "count"),
            "money": record(
                {"amount": {"type": "number", "multipleOf": 0.01}, "currency": listed(*CURRENCIES)},
                "amount",
                "currency",
            ),
            "party": record({"name": text(), "email": matching(EMAIL), "country": listed(*COUNTRIES)}, "name"),
        },
        "business events",
    )


def calls() -> Schema:
    methods = {
        f"{group}/{verb}": {"params": ref(f"{group}_params")}
        for group in ("tools", "prompts", "resources", "roots", "tasks")
        for verb in ("list", "get", "call", "watch", "cancel")
    }
    request = {
        "allOf": [
            record({"jsonrpc": {"const": "2.0"}, "id": ref("id")}, "jsonrpc", "id"),
            tagged("method", methods, "anyOf"),
        ]
    }
    params = {
        f"{group}_params": record(
            {"cursor": text(), "name": text(), "arguments": maps(True), "_meta": ref("meta")},
            *([] if group == "roots" else ["name"]),
        )
        for group in ("tools", "prompts", "resources", "roots", "tasks")
    }
    return document(
        either(ref("request"), ref("response"), ref("error"), ref("notification")),
        {
            "id": {"type": ["string", "integer"]},
            "meta": record({"progress": ref("id")}),
            **params,
            "request": request,
            "response": record(
                {"jsonrpc": {"const": "2.0"}, "id": ref("id"), "result": {"type": "object"}}, "jsonrpc", "id", "result"
            ),
            "error": record(
                {
                    "jsonrpc": {"const": "2.0"},
                    "id": ref("id"),
                    "error": record({"code": whole(), "message": text(), "data": True}, "code", "message"),
                },
                "jsonrpc",
                "id",
                "error",
            ),
            "notification": record(
                {"jsonrpc": {"const": "2.0"}, "method": text(), "params": maps(True)}, "jsonrpc", "method"
            ),
        },
        "remote calls",
    )


FAMILIES = [conversation, events, calls]
