"""Forms of unions that can never be: told beside a verdict, so that no form is thought to be in use that is not.

Law: a form is named only where it is proved that no message of its place fits it: as it is written, beside what stands
around it; because what fits it always fits another form of its `oneOf`; or, of a producer, because closing leaves none.
What cannot be told within a small part of the budget is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, BudgetShare, OutOfBudget, OutOfPart
from claude_comm.schema.containment.alike import bare, needed
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.emptiness import is_empty
from claude_comm.schema.containment.joined import joined
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance, minimal_instance
from claude_comm.schema.containment.room import Room
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.closing import marks_what_is_asked
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.forms import TESTS
from claude_comm.schema.pointer import pointer
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import EmptyForm, Json

# Forms of one schema that are looked at, and the steps that searches for their messages may take together.
MAX_FORMS, STEPS = 100, 300

NO_MESSAGE = "no message fits it"
NOT_ALONE = "what fits it fits another form as well, and exactly one is to fit"
NOT_DECLARED = "no message that has declared properties alone fits it"


def empty_forms(side: Side, budget: Budget, *, accepted: bool, closed: bool = False) -> tuple[EmptyForm, ...]:
    """Those of one side, in the order in which they stand in its schema; kept with it."""
    kept = f"empty_forms_{closed}"
    forms = vars(side).get(kept)
    if forms is None:
        forms = vars(side)[kept] = tuple(_found(side.document, BudgetShare(budget, STEPS), closed))
    return tuple(
        EmptyForm(side="accepted" if accepted else "produced", schema_path=place, why=why) for place, why in forms
    )


class _Form(NamedTuple):
    """One form of a union: where, the schema that has the union, its keyword, and which form."""

    place: tuple[str, ...]
    schema: dict[str, Any]
    keyword: str
    at: int


def _found(document: Document, part: BudgetShare, closed: bool) -> Iterator[tuple[str, str]]:
    if document.opaque or document.dynamic or not _has_unions(document):
        return
    room = Room(document.definitions, closed=closed and marks_what_is_asked(document))
    readable = not closed or room.closed
    try:
        # Nearly always every form plainly fits something, which is seen without a place for each.
        if readable and all(_plainly_fits(form, room) for form in _unplaced(document)):
            return
        for looked, form in enumerate(_forms(document)):
            if looked >= MAX_FORMS:
                return
            part.tick()
            if (readable and _plainly_fits(form, room)) or (not closed and _has_instance(form, document)):
                continue
            why = _why_empty(form, document, part, closed)
            if why:
                yield pointer((*form.place, form.keyword, str(form.at))), why
    except (OutOfPart, OutOfBudget, RecursionError):
        return


def _has_unions(document: Document) -> bool:
    if document.size is not None:
        return not document.size.names.isdisjoint(keywords.UNIONS)
    return any(not schema.keys().isdisjoint(keywords.UNIONS) for schema in keywords.schemas(document.schema))


def _unplaced(document: Document) -> Iterator[_Form]:
    """Every form of a document, in no order and without its place."""
    stack = [document.schema, *document.definitions.values()]
    while stack:
        schema = stack.pop()
        if not isinstance(schema, dict):
            continue
        for keyword in _MAPS & schema.keys():
            stack += schema[keyword].values()
        for keyword in _LISTS & schema.keys():
            stack += schema[keyword]
        stack += [schema[keyword] for keyword in _SINGLE & schema.keys()]
        for keyword in _UNIONS & schema.keys():
            yield from (_Form((), schema, keyword, at) for at in range(len(schema[keyword])))


_UNIONS = frozenset(keywords.UNIONS)
_SINGLE = frozenset(keywords.names(lambda row: row.holds == "schema"))
_LISTS = frozenset(keywords.names(lambda row: row.holds == "list"))
_MAPS = frozenset(keywords.names(lambda row: row.holds == "map")) - {"$defs"}


def _forms(document: Document) -> Iterator[_Form]:
    """Every form that describes a value of a message; what only tests one is passed over."""
    stack: list[_Ahead] = [
        (_steps(document.origins.get(name, "")), schema, "schema")
        for name, schema in reversed([*document.definitions.items()])
    ]
    stack.append(((), bare(document.schema), "schema"))
    while stack:
        place, value, holds = stack.pop()
        if isinstance(value, dict) and holds == "schema":
            for keyword in keywords.UNIONS:
                yield from (_Form(place, value, keyword, at) for at in range(len(value.get(keyword, ()))))
        inner: list[_Ahead] = [
            ((*place, step), item, held)
            for step, item, held in keywords.inside(value, holds)
            if held not in ("data", "unknown") and not (holds == "schema" and step in _PASSED_OVER)
        ]
        stack += inner[::-1]


# A place, what stands there, and what it holds.
_Ahead = tuple[tuple[str, ...], Json, keywords.Holds]
_PASSED_OVER = frozenset((*TESTS, "contains"))


def _steps(place: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:])


def _plainly_fits(form: _Form, room: Room) -> bool:
    """Whether keywords show a message of this form, and of no other where one alone may fit."""
    forms = form.schema[form.keyword]
    whole = forms[form.at]
    if len(form.schema) > 1:
        beside = {name: value for name, value in form.schema.items() if name not in (form.keyword, "$defs")}
        whole = None if "allOf" in beside else joined({**beside, "allOf": [whole]})
    return whole is not None and room.leaves(whole) and (form.keyword == "anyOf" or room.alone(form.at, forms))


def _has_instance(form: _Form, document: Document) -> bool:
    """Whether the smallest instance of the form is a message of the union: seen in a tenth of the time of a search."""
    without = {name: value for name, value in form.schema.items() if name not in (form.keyword, "$defs")}
    definitions = needed(form.schema, document.definitions)

    def solve(schema: Json) -> Json:
        raise NoMinimalInstance

    try:
        message = minimal_instance(_with_part(without, form.schema[form.keyword][form.at]), definitions, solve)
        whole = {**form.schema, "$defs": definitions} if definitions else form.schema
        return compiled(whole, DEFAULT).is_valid(message)
    except (NoMinimalInstance, SchemaError, ValueError):
        return False


def _why_empty(form: _Form, document: Document, part: BudgetShare, closed: bool) -> str:
    """What keeps every message from this form; empty where nothing is proved."""
    forms = form.schema[form.keyword]
    narrowed = _with_part(form.schema, forms[form.at])
    others = [other for at, other in enumerate(forms) if at != form.at]
    if form.keyword == "anyOf":
        alone = narrowed
    else:
        without = {name: value for name, value in form.schema.items() if name != "oneOf"}
        alone, narrowed = _with_part(form.schema, {"not": {"anyOf": others}}), _with_part(without, forms[form.at])
    if not _is_empty(alone, document, part, closed=closed):
        return ""
    if _is_empty(narrowed, document, part, closed=False):
        return NO_MESSAGE
    if form.keyword == "oneOf" and _is_empty(alone, document, part, closed=False):
        return NOT_ALONE
    return NOT_DECLARED if closed else ""


def _with_part(schema: dict[str, Any], part: Json) -> dict[str, Any]:
    return {**schema, "allOf": [*schema.get("allOf", ()), part]}


def _is_empty(schema: Json, document: Document, part: BudgetShare, *, closed: bool) -> bool:
    definitions = needed(schema, document.definitions)
    whole = {**schema, "$defs": definitions} if definitions else schema
    asked = msgspec.structs.replace(document, schema=whole, size=None)
    return is_empty(Side(whole, DEFAULT, asked), part, closed=closed, steps=STEPS)
