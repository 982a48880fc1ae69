"""A policy applied to a schema, to validate messages with the schema that was checked.

Law: a message that passes every schema returned is one of those that `check` judged under that policy.
"""

from __future__ import annotations

from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.pointer import definition_name, reference_to
from claude_comm.schema.validation.validator import well_formed
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json, Policy


def under(policy: Policy, schema: Json, *, default_dialect: Dialect = DEFAULT) -> list[Json]:
    """The schemas that a message must all pass. Raises SchemaError for one that cannot be used.

    Under `closed-producer` that is the closed normal form; where the schema has no exact normal form, the schema as
    it was written stands beside it.
    """
    well_formed(schema, default_dialect=default_dialect)
    if policy == "strict":
        return [schema]
    document = normalise(schema, dialect_of(schema, default_dialect))
    shut = _quick(close(document).schema)
    return [schema, shut] if document.opaque or document.lexical else [shut]


def _quick(shut: Json) -> Json:
    """The same, quicker to validate: a place that is nothing but a reference to a plain object is closed by that
    object's own `additionalProperties`, and not by `unevaluatedProperties`, which notes every property it meets."""
    if not isinstance(shut, dict) or "$defs" not in shut:
        return shut
    definitions: dict[str, Json] = shut["$defs"]
    plain = {name for name, schema in definitions.items() if isinstance(schema, dict) and _COMPOSED.isdisjoint(schema)}
    closed: dict[str, Json] = {}

    def quicker(schema: Json) -> Json:
        if not isinstance(schema, dict):
            return schema
        if schema.keys() == _CLOSED_PLACE and schema["unevaluatedProperties"] is False:
            name = definition_name(schema["$ref"])
            if name in plain:
                closed[name + _SHUT] = definitions[name]
                return {"$ref": reference_to(name + _SHUT)}
        return {keyword: keywords.mapped(keyword, value, quicker) for keyword, value in schema.items()}

    whole = quicker({keyword: value for keyword, value in shut.items() if keyword != "$defs"})
    out = {name: quicker(schema) for name, schema in definitions.items()}
    done: set[str] = set()
    while new := closed.keys() - done:
        done |= new
        out |= {name: {**quicker(closed[name]), "additionalProperties": False} for name in new}
    return {**whole, "$defs": out}


# What looks at a place from beside its properties, or says already what else it may have.
_COMPOSED = frozenset(
    (*keywords.IN_PLACE, *keywords.REFERENCES, *keywords.FURTHER_PROPERTIES, "dependentSchemas", "propertyNames")
)
_CLOSED_PLACE = {"unevaluatedProperties", "$ref"}
# No name of a closed normal form ends so.
_SHUT = ".shut"


def may_take_null(schema: Json) -> bool:
    """Whether a schema may allow null somewhere, as far as each of its parts shows on its own.

    NaN is null to the validator: only where null is refused everywhere need nobody look for it.
    """
    if isinstance(schema, bool) or b"true" in text(schema).replace(b'"uniqueItems":true', b""):
        return schema is not False
    return any(_SAYS_WHAT.isdisjoint(part) or _names_null(part) for part in keywords.schemas(schema))


def _names_null(part: dict[str, Json]) -> bool:
    return any(b"null" in text(part[keyword]) for keyword in _LISTS_KINDS if keyword in part)


_LISTS_KINDS = ("type", "enum", "const")
# A part with none of these leaves open what kind of value it allows.
_SAYS_WHAT = frozenset(("$ref", *_LISTS_KINDS, *keywords.UNIONS))
