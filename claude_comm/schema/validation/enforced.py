"""A policy applied to a schema, to validate messages with the schema that was checked.

Law: a message that passes every schema returned is one of those that `check` judged under that policy.
"""

from __future__ import annotations

from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
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
    shut = close(document).schema
    return [schema, shut] if document.opaque or document.lexical else [shut]


def may_take_null(schema: Json) -> bool:
    """Whether a schema may allow null somewhere, as far as each of its parts shows on its own.

    NaN is null to the validator: only where null is refused everywhere need nobody look for it.
    """
    if isinstance(schema, bool) or b"true" in text(schema):
        return schema is not False
    return any(_SAYS_WHAT.isdisjoint(part) or b"null" in text(part.get("type")) for part in keywords.schemas(schema))


# A part with none of these leaves open what kind of value it allows.
_SAYS_WHAT = frozenset(("type", "$ref", *keywords.UNIONS))
