"""Places and forms: coordinates, addresses of listed countries, and what one field makes of others."""

from __future__ import annotations

from tests.support.schemas.real.messages import COUNTRIES, CURRENCIES
from tests.support.schemas.real.words import (
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


def location() -> Schema:
    address = record(
        {
            "street": text(minLength=1),
            "city": text(),
            "country": listed(*COUNTRIES),
            "code": matching("^[A-Z0-9 -]{3,10}$"),
        },
        "street",
        "city",
        "country",
    )
    coordinate = {
        "type": "array",
        "prefixItems": [
            {"type": "number", "minimum": -180, "maximum": 180},
            {"type": "number", "minimum": -90, "maximum": 90},
        ],
        "minItems": 2,
        "maxItems": 3,
        "items": {"type": "number"},
    }
    return document(
        record(
            {"address": ref("address"), "shape": ref("shape"), "parent": ref("place"), "tags": maps(text(), SLUG)},
            "shape",
        ),
        {
            "address": address,
            "position": coordinate,
            "place": record({"name": text(), "within": array(ref("place")), "address": ref("address")}, "name"),
            "shape": tagged(
                "type",
                {
                    "Point": {"coordinates": ref("position")},
                    "Line": {"coordinates": array(ref("position"), minItems=2)},
                    "Polygon": {"coordinates": array(array(ref("position"), minItems=4))},
                    "Many": {"shapes": array(ref("shape"))},
                },
            ),
        },
        "locations",
    )


def form() -> Schema:
    """Conditions: what one field says decides what others must be."""
    kinds = {"person": ["first", "last"], "company": ["name", "register"], "public": ["name", "office"]}
    rules = [
        {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"required": needed}}
        for kind, needed in kinds.items()
    ]
    fields: Schema = {
        "kind": listed(*kinds),
        **dict.fromkeys(("first", "last", "name", "register", "office"), text(minLength=1)),
    }
    return document(
        record(
            {
                "applicant": ref("applicant"),
                "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
                "currency": listed(*CURRENCIES),
                "documents": {**array(ref("file"), maxItems=10), "uniqueItems": True},
                "answers": {
                    "type": "object",
                    "propertyNames": matching("^q[0-9]+$"),
                    "additionalProperties": either(text(), flag(), whole()),
                },
            },
            "applicant",
            "amount",
        ),
        {
            "applicant": {**record(fields, "kind"), "allOf": rules},
            "file": record(
                {"name": matching(r"^[^/\\]{1,120}\.(pdf|png|jpg)$"), "size": whole(minimum=1, maximum=10_000_000)},
                "name",
                "size",
            ),
        },
        "application form",
    )


FAMILIES = [location, form]
