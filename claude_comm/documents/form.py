"""The form of the documents that the command line reads, and all the problems of a document.

Law: the schemas are ours (the JSON files beside this one); fastjsonschema, which writes Python code from a schema,
never sees one that came from outside. It stops at the first fault, so a document that it refuses is checked in parts:
each keyword of each part is a schema of its own there, and since the keywords used hold or fail on their own, all
the faults together are exactly what the whole schema refuses.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import fastjsonschema
import msgspec

from claude_comm.errors import InvalidDocument
from claude_comm.schema.validation.phrases import place

DocumentKind: TypeAlias = Literal["pipeline", "negotiation", "session", "communication", "contract"]
Steps: TypeAlias = tuple[str | int, ...]

# Keywords that lead to parts, and annotations. `additionalProperties` is handled with the names it knows.
_INNER = frozenset(("properties", "items", "patternProperties"))
_SILENT = frozenset(("$schema", "title", "description"))


class DocumentProblem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where in the document (`$` is the whole of it), and what."""

    path: str
    sentence: str


def require(kind: DocumentKind, document: object, origin: str) -> None:
    """Raises InvalidDocument with every problem; `origin` names the document, such as its file."""
    if listed := problems(kind, document):
        raise_invalid(origin, listed)


def raise_invalid(origin: str, listed: list[DocumentProblem]) -> NoReturn:
    raise InvalidDocument(origin, [(problem.path, problem.sentence) for problem in listed])


def problems(kind: DocumentKind, document: object) -> list[DocumentProblem]:
    """Everything that keeps the document from having this form, in the document's order; empty when it has."""
    if _refusal(_compiled(kind), document) is None:
        return []
    return [DocumentProblem(place(path), sentence) for path, sentence in _walk(schema_of(kind), document, ())]


@functools.cache
def schema_of(kind: DocumentKind) -> dict[str, Any]:
    """The JSON Schema (draft 7) of this form."""
    text = Path(__file__).with_name(f"{kind}.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Any])


@functools.cache
def _compiled(kind: DocumentKind) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = fastjsonschema.compile(schema_of(kind))
    return compiled


def _refusal(validate: Callable[[Any], Any], value: object) -> str | None:
    try:
        validate(value)
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message).removeprefix(str(error.name)).strip()
    return None


def _walk(schema: dict[str, Any], value: object, path: Steps) -> Iterator[tuple[Steps, str]]:
    known = schema.get("properties", {})
    for keyword, limit in schema.items():
        if keyword in _INNER or keyword in _SILENT:
            continue
        if keyword == "additionalProperties":
            yield from _unknown(schema, value, path)
        elif keyword == "required" and isinstance(value, dict):
            yield from ((path, f"{name!r} is missing.") for name in limit if name not in value)
        elif sentence := _refusal(fastjsonschema.compile({keyword: limit}), value):
            yield path, f"{sentence}."
    if isinstance(value, dict):
        for name in (name for name in value if name in known):
            yield from _walk(known[name], value[name], (*path, name))
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _walk(schema["items"], item, (*path, index))


def _unknown(schema: dict[str, Any], value: object, path: Steps) -> Iterator[tuple[Steps, str]]:
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    for name in value:
        if name in known or any(re.search(pattern, name) for pattern in schema.get("patternProperties", {})):
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}; your own begin with 'x-'."
        yield (*path, name), f"no property of that name is known. {hint}"
