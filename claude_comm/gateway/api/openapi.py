"""The OpenAPI 3.1 document of the gateway, written from the table of its routes and the types that stand there.

Law: nothing is described here that is not in the table: types become schemas, docstrings become summaries. Every answer
that is a refusal is a problem document.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.routing import Route

from claude_comm.gateway.api.routes import HTML, JSON, OPEN, ApiRoute, Media
from claude_comm.gateway.core.problems import Problem
from claude_comm.version import __version__

VERSION = "3.1.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PROBLEM = "application/problem+json"
_REFERENCE = "#/components/schemas/{name}"
# What any route may refuse with: a parameter or a body, a name of the gateway, a server that is away.
_COMMON = (400, 415, 421, 503)
_BODY = (408, 413)
_PLACE = re.compile(r"{(\w+)(?::\w+)?}")


def document(routes: Iterable[ApiRoute], pages: Iterable[Route] = ()) -> dict[str, Any]:
    """The whole; `pages` are those of the dashboard."""
    rows = list(routes)
    schemas = Schemas([type_ for row in rows for type_ in _types(row)] + [Problem])
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    for page in (page for page in pages if page.include_in_schema):
        for method in sorted((page.methods or set()) - {"HEAD"}):
            paths.setdefault(_PLACE.sub(r"{\1}", page.path), {})[method.lower()] = _page(page, method, schemas)
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "claude-comm gateway",
            "version": __version__,
            "description": "Modules that talk over Redis streams, and prove that they can: their HTTP side. "
            "/asyncapi.json describes the WebSocket.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": "api"}, {"name": "dashboard", "description": "Pages for browsers."}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "What `claude-comm module add` printed."},
                "session": {"type": "apiKey", "in": "cookie", "name": "claude_comm_session"},
            },
        },
    }


class Schemas:
    """The schemas of types: named ones are written once, below `components`."""

    def __init__(self, types: list[Any]) -> None:
        known = [type_ for type_ in types if not isinstance(type_, dict)]
        written, self.components = msgspec.json.schema_components(known, ref_template=_REFERENCE)
        self._by_type = dict(zip(map(repr, known), written, strict=True))

    def of(self, type_: Any) -> dict[str, Any]:
        """The schema of a type of the table; a schema that stands there is itself."""
        if isinstance(type_, tuple):
            return {"anyOf": [self.of(part) for part in type_]}
        return type_ if isinstance(type_, dict) else self._by_type[repr(type_)]


def _types(row: ApiRoute) -> Iterator[Any]:
    for type_ in (*row.takes.values(), *row.answers.values()):
        if not isinstance(type_, Media):
            yield from type_ if isinstance(type_, tuple) else (type_,)
    yield from (parameter.kind for parameter in row.parameters)


def _operation(row: ApiRoute, schemas: Schemas) -> dict[str, Any]:
    lines = inspect.getdoc(row.endpoint) or ""
    operation: dict[str, Any] = {
        "operationId": f"{row.endpoint.__module__.rpartition('.')[2]}.{row.endpoint.__qualname__}",
        "summary": lines.partition("\n")[0],
        "tags": ["api"],
        "x-scope": row.scope,
        "responses": _responses(row, schemas),
    }
    if row.scope == OPEN:
        operation["security"] = []
    if parameters := [*_in_path(row.path), *_parameters(row, schemas)]:
        operation["parameters"] = parameters
    if row.takes:
        content = {media: {"schema": schemas.of(type_)} for media, type_ in row.takes.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(row: ApiRoute, schemas: Schemas) -> dict[str, Any]:
    known = (401, 403) if row.scope != OPEN else ()
    refusals = {*_COMMON, *(_BODY if row.takes else ()), *known, *row.refusals}
    responses = {str(status): _problem(status, schemas) for status in sorted(refusals)}
    for status, type_ in row.answers.items():
        media = type_.types if isinstance(type_, Media) else (JSON,)
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if media:
            schema = {"type": "string"} if isinstance(type_, Media) else schemas.of(type_)
            answer["content"] = {name: {"schema": schema} for name in media}
            answer["content"].update({name: {"schema": {"type": "string"}} for name in row.files})
        if status in refusals and media:
            answer["content"][PROBLEM] = _problem(status, schemas)["content"][PROBLEM]
        responses[str(status)] = answer
    return {**responses, "default": _problem(None, schemas)}


def _problem(status: int | None, schemas: Schemas) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase if status is not None else "Another refusal"
    return {"description": phrase, "content": {PROBLEM: {"schema": schemas.of(Problem)}}}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PLACE.findall(path)
    ]


def _parameters(row: ApiRoute, schemas: Schemas) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.meaning,
            "schema": schemas.of(parameter.kind),
        }
        for parameter in row.parameters
    ]


def _page(page: Route, method: str, schemas: Schemas) -> dict[str, Any]:
    place = re.sub(r"\W+", "_", page.path).strip("_") or "overview"
    html = {HTML: {"schema": {"type": "string"}}}
    shown = html if not page.path.endswith(".css") else {"text/css": {"schema": {"type": "string"}}}
    return {
        "operationId": f"dashboard.{method.lower()}_{place}",
        "summary": "A page of the dashboard." if method == "GET" else "What a form of the dashboard does.",
        "tags": ["dashboard"],
        "x-scope": "read:*" if method == "GET" else "admin",
        "parameters": _in_path(page.path),
        "responses": {
            "200": {"description": "OK", "content": shown},
            "303": {"description": "See Other"},
            "default": {"description": "Another refusal", "content": {**html, **_problem(None, schemas)["content"]}},
        },
    }
