"""From the errors of `jsonschema-rs` to refusals: the one file that knows the shape of those errors.

Law: each refusal names one keyword that refuses one value. Where a union refuses, the branch that comes closest
speaks for it: the one whose refusals lie deepest, then the one with the fewest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import jsonschema_rs
import msgspec

from claude_comm.schema.cost.path_growth import Named
from claude_comm.schema.normalform.validator_dialect import LISTED, as_written
from claude_comm.schema.validation.phrases import Refusal, contained_need
from claude_comm.schema.validation.true_path import ends_with_keyword, true_path, true_schema_path
from claude_comm.schema.validation.union_needs import SEVERAL, kinds_need, tag_need, tag_of
from claude_comm.schema.verdict import Json

# A message may break a schema in as many places as it has values; nobody reads more than these.
MAX_REFUSALS = 50
# Unions in unions that are followed to the branch that comes closest.
MAX_UNIONS = 8

_RULES = {
    "constant": "const",
    LISTED: "enum",
    "falseSchema": "false schema",
    "oneOfMultipleValid": "oneOf",
    "oneOfNotValid": "oneOf",
}


def errors(ready: jsonschema_rs.Validator, instance: Json, named: Named) -> Iterable[jsonschema_rs.ValidationError]:
    """The errors of a refused message: the validator makes all of them before the first is seen, or only the first."""
    if named == "all":
        return ready.iter_errors(instance)
    try:
        if named == "first":
            ready.validate(instance)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def refusals(
    errors: Iterable[jsonschema_rs.ValidationError], message: Json, schema: Json, limit: int = MAX_REFUSALS
) -> list[Refusal]:
    """The first `limit` refusals that a run of the validator names, unions replaced by their closest branch."""
    refused: list[Refusal] = []
    for error in errors:
        for leaf in _leaves(error, message, schema, depth=0):
            path = true_path(message, leaf.path, leaf.value)
            refusal = leaf if path == leaf.path else msgspec.structs.replace(leaf, path=path)
            if refusal not in refused:
                refused.append(refusal)
            if len(refused) >= limit:
                return refused
    return refused


def _leaves(error: jsonschema_rs.ValidationError, message: Json, schema: Json, depth: int) -> Iterator[Refusal]:
    kind = error.kind
    if not isinstance(kind, _UNION) or depth >= MAX_UNIONS:
        yield from _own(error, message, schema)
        return
    here = len(error.instance_path)
    tag = tag_of(kind.context, error.instance, here)
    if tag is not None:
        path = (*error.instance_path, tag.name)
        yield Refusal(
            path=path,
            schema_path=_schema_path(error, schema),
            rule=_rule(error),
            limit=None,
            value=tag.value,
            need=tag_need(tag),
        )
        return
    need = kinds_need(kind.context, here)
    nearest = None if need else _closest(kind.context, error)
    if nearest is None:
        yield from (msgspec.structs.replace(refusal, need=need) for refusal in _own(error, message, schema))
        return
    for inner in nearest:
        yield from _leaves(inner, message, schema, depth + 1)


def _rule(error: jsonschema_rs.ValidationError) -> str:
    return _RULES.get(error.kind.name, error.kind.name)


_UNION = (jsonschema_rs.ValidationErrorKind.AnyOf, jsonschema_rs.ValidationErrorKind.OneOfNotValid)
_UNLIMITED = (*_UNION, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid)
_UNEXPECTED = (
    jsonschema_rs.ValidationErrorKind.AdditionalProperties,
    jsonschema_rs.ValidationErrorKind.UnevaluatedProperties,
)


def _closest(
    branches: list[list[jsonschema_rs.ValidationError]], error: jsonschema_rs.ValidationError
) -> list[jsonschema_rs.ValidationError] | None:
    """The branch that the value was probably meant for, or nothing when none is nearer than the others."""
    here = len(error.instance_path)
    ranked = sorted((_distance(branch, here), index) for index, branch in enumerate(branches) if branch)
    if not ranked or ranked[0][0][0] == 2:
        return None
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        return None
    return branches[ranked[0][1]]


def _distance(branch: list[jsonschema_rs.ValidationError], here: int) -> tuple[int, int]:
    """How far a branch is: another type (2), another tag (1), or the right shape with something wrong in it (0)."""
    if any(inner.kind.name in {"type", "falseSchema"} and len(inner.instance_path) == here for inner in branch):
        return 2, len(branch)
    tag = any(inner.kind.name in {"const", "enum", LISTED} and len(inner.instance_path) <= here + 1 for inner in branch)
    return (1 if tag else 0), len(branch)


def _own(error: jsonschema_rs.ValidationError, message: Json, schema: Json) -> Iterator[Refusal]:
    kind, rule = error.kind, _rule(error)
    path = tuple(error.instance_path)
    schema_path = _schema_path(error, schema)
    unexpected = _unexpected(error, message, schema_path)
    if unexpected:
        rule = str(schema_path[-1])
        need = f"what `{rule}` allows there" if _describes(schema, schema_path) else ""
        holder = error.instance if isinstance(error.instance, dict) else {}
        for name in unexpected:
            value = holder.get(name) if need else None
            yield Refusal(path=(*path, name), schema_path=schema_path, rule=rule, limit=name, value=value, need=need)
        return
    need = SEVERAL if isinstance(kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid) else ""
    if schema_path and schema_path[-1] in {"minContains", "maxContains"}:
        rule = str(schema_path[-1])
        need = contained_need(rule, _at(schema, schema_path[:-1]))
    limit: Json = None
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Custom):
        limit = msgspec.json.decode(kind.message)
    elif not isinstance(kind, _UNLIMITED):
        limit = as_written(kind.value)
    yield Refusal(path=path, schema_path=schema_path, rule=rule, limit=limit, value=error.instance, need=need)


def _unexpected(
    error: jsonschema_rs.ValidationError, message: Json, schema_path: tuple[str | int, ...]
) -> Iterable[str]:
    """The properties that are not allowed. Of an object that may have none at all, the error does not name them."""
    if isinstance(error.kind, _UNEXPECTED):
        return error.kind.unexpected
    if error.kind.name == "falseSchema" and schema_path[-1:] == ("additionalProperties",):
        holder = _at(message, true_path(message, error.instance_path)) if ends_with_keyword(schema_path) else None
        return holder if isinstance(holder, dict) else ()
    return ()


def _schema_path(error: jsonschema_rs.ValidationError, schema: Json) -> tuple[str | int, ...]:
    steps = [_RULES[LISTED] if step == LISTED else step for step in error.schema_path]
    return true_schema_path(schema, steps, _rule(error))


def _describes(schema: Json, schema_path: tuple[str | int, ...]) -> bool:
    """Whether a keyword about further properties holds a schema that some value fits, and is no plain ban."""
    return isinstance(_at(schema, schema_path), dict)


def _at(schema: Json, schema_path: tuple[str | int, ...]) -> Json:
    """What stands at a place of the schema; None where the path leads nowhere."""
    try:
        return functools.reduce(lambda value, step: value[step], schema_path, schema)
    except (LookupError, TypeError):
        return None
