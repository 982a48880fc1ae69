"""The dialects of JSON Schema, and which one a schema speaks.

Law: `$schema` decides; without it, the default that the caller names; without that, 2020-12. An unknown `$schema` is
an error and never a guess.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from claude_comm.errors import SchemaError
from claude_comm.schema.verdict import Json

Dialect: TypeAlias = Literal["draft2020-12", "draft2019-09", "draft7", "draft6", "draft4"]

DEFAULT: Dialect = "draft2020-12"

_BY_URI: dict[str, Dialect] = {
    "json-schema.org/draft/2020-12/schema": "draft2020-12",
    "json-schema.org/draft/2019-09/schema": "draft2019-09",
    "json-schema.org/draft-07/schema": "draft7",
    "json-schema.org/draft-06/schema": "draft6",
    "json-schema.org/draft-04/schema": "draft4",
}

URI: dict[Dialect, str] = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
}


def dialect_of(schema: Json, default: Dialect = DEFAULT) -> Dialect:
    """The dialect that `schema` declares, else `default`."""
    declared = schema.get("$schema") if isinstance(schema, dict) else None
    if declared is None:
        return default
    if isinstance(declared, str):
        dialect = _BY_URI.get(declared.split("://", 1)[-1].rstrip("#"))
        if dialect is not None:
            return dialect
    raise SchemaError(
        f"`$schema` names no dialect that is known here; use {URI[DEFAULT]} or one of drafts 2019-09, 7, 6 and 4.",
        path="/$schema",
    )
