"""Where in a schema a keyword stands: so that what made a question hard has a place.

Law: a place is a JSON Pointer to something that is there.
"""

from __future__ import annotations

from claude_comm.schema.limits import escape
from claude_comm.schema.verdict import Json

# Keywords that are hard for the same reason.
_KIN = {
    "pattern": ("pattern", "patternProperties"),
    "patternProperties": ("patternProperties", "propertyNames"),
    "additionalProperties": ("additionalProperties", "unevaluatedProperties", "patternProperties"),
    "contains": ("contains",),
    "anyOf": ("anyOf", "oneOf", "allOf", "if"),
}


def place_of(keyword: str, *schemas: Json) -> str:
    """The pointer to the first such keyword in the first schema that has it; empty when there is none."""
    wanted = _KIN.get(keyword, (keyword,))
    for schema in schemas:
        layer: list[tuple[str, Json]] = [("", schema)]
        while layer:
            below: list[tuple[str, Json]] = []
            for at, value in layer:
                if isinstance(value, dict):
                    for name in wanted:
                        if name in value:
                            return f"{at}/{escape(name)}"
                    below += ((f"{at}/{escape(name)}", item) for name, item in value.items())
                elif isinstance(value, list):
                    below += ((f"{at}/{index}", item) for index, item in enumerate(value))
            layer = below
    return ""
