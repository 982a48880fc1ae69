"""The few words that the schemas of this folder are written in."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

SEMVER = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?$"
EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}$"
HOST = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
DURATION = r"^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$"
NAME = r"^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$"


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def text(**more: Any) -> Schema:
    return {"type": "string", **more}


def matching(pattern: str, **more: Any) -> Schema:
    return text(pattern=pattern, **more)


def listed(*values: Any) -> Schema:
    return {"enum": list(values)}


def open_list(*values: Any) -> Schema:
    """Listed values that an editor offers, beside any other text."""
    return {"anyOf": [listed(*values), text()]}


def whole(**more: Any) -> Schema:
    return {"type": "integer", **more}


def flag(default: bool = False) -> Schema:
    return {"type": "boolean", "default": default}


def array(item: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": item, **more}


def maps(item: Schema | bool, pattern: str | None = None, **more: Any) -> Schema:
    """An object of any names, or of those that match."""
    if pattern is None:
        return {"type": "object", "additionalProperties": item, **more}
    return {"type": "object", "patternProperties": {pattern: item}, "additionalProperties": False, **more}


def record(properties: Schema, *required: str, closed: bool = False, **more: Any) -> Schema:
    out: Schema = {"type": "object", "properties": properties, **more}
    if required:
        out["required"] = list(required)
    return {**out, "additionalProperties": False} if closed else out


def either(*forms: Schema) -> Schema:
    return {"anyOf": list(forms)}


def one(*forms: Schema) -> Schema:
    return {"oneOf": list(forms)}


def tagged(tag: str, forms: dict[str, Schema], keyword: str = "oneOf", *, closed: bool = False) -> Schema:
    """A union of which each form is told by the value of one property."""
    return {
        keyword: [
            record({tag: {"const": name}, **properties}, tag, *list(properties)[:1], closed=closed)
            for name, properties in forms.items()
        ]
    }


def document(root: Schema, definitions: dict[str, Schema], title: str) -> Schema:
    return {"title": title, **root, "$defs": definitions}
