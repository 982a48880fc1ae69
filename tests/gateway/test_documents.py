"""The OpenAPI and AsyncAPI documents: valid, and of exactly what is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from claude_comm.gateway.api.openapi import document
from claude_comm.gateway.api.routes import ROUTES
from claude_comm.gateway.app import create_app
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.live.answered import Answered
from claude_comm.gateway.live.frames import Frame
from claude_comm.settings import Settings
from tests.support.gateways import serving_gateway, token_of
from tests.support.published import npm

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture
def application(settings: Settings) -> Starlette:
    guard: Any = create_app(Gateway(settings, GatewaySettings(port=0)))
    application = guard._app._application
    assert isinstance(application, Starlette)
    return application


@pytest.fixture
def openapi(application: Starlette) -> dict[str, Any]:
    return plain(application.state.openapi)


@pytest.fixture
def asyncapi(application: Starlette) -> dict[str, Any]:
    return plain(application.state.asyncapi)


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def at(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_every_route_of_the_application_is_in_the_document_and_the_reverse(
    application: Starlette, openapi: dict[str, Any]
) -> None:
    served = set()
    for route in application.routes:
        if isinstance(route, Mount):
            assert route.path == "/static"
            continue
        assert isinstance(route, Route)
        if not route.include_in_schema:
            assert route.path == "/ui/{rest:path}", "the page that says that there is none"
            continue
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        served |= {(method.lower(), path) for method in (route.methods or set()) - {"HEAD"}}
    assert {(method, path) for method, path, _ in operations(openapi)} == served


def test_the_openapi_document_keeps_the_rules_of_openapi_3_1(openapi: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", openapi["openapi"])
    assert {"title", "version"} <= openapi["info"].keys()
    assert set(openapi) <= {
        "openapi",
        "jsonSchemaDialect",
        "info",
        "servers",
        "security",
        "tags",
        "paths",
        "components",
    }
    for reference in references(openapi):
        assert isinstance(at(openapi, reference), dict)
    for name, schema in openapi["components"]["schemas"].items():
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)
        jsonschema.Draft202012Validator.check_schema(schema)
    seen = set()
    for method, path, operation in operations(openapi):
        assert method in METHODS
        assert path.startswith("/")
        assert operation["summary"]
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        parameters = operation.get("parameters", [])
        assert {part["name"] for part in parameters if part["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        assert all(part["required"] for part in parameters if part["in"] == "path")
        assert len({(part["in"], part["name"]) for part in parameters}) == len(parameters)
        assert all(re.fullmatch(r"[1-5]\d\d|default", status) for status in operation["responses"])
        assert all(response["description"] for response in operation["responses"].values())
        for requirement in operation.get("security", openapi["security"]):
            assert requirement.keys() <= openapi["components"]["securitySchemes"].keys()
        for schema in (part["schema"] for part in parameters):
            jsonschema.Draft202012Validator.check_schema(schema)


def test_a_route_that_is_added_to_the_table_is_in_the_document() -> None:
    added = msgspec.structs.replace(ROUTES[0], path="/new/{thing}")
    whole = document([added])
    assert [*whole["paths"]] == ["/new/{thing}"]
    assert whole["paths"]["/new/{thing}"]["get"]["parameters"][0]["name"] == "thing"


def test_the_asyncapi_document_keeps_the_rules_of_asyncapi_3(asyncapi: dict[str, Any]) -> None:
    assert asyncapi["asyncapi"] == "3.0.0"
    for reference in references(asyncapi):
        assert isinstance(at(asyncapi, reference), dict)
    for schema in asyncapi["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
    for operation in asyncapi["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])
        assert operation.get("reply", {}).keys() <= {"channel", "messages", "address"}


def test_every_frame_is_a_message_of_the_asyncapi_document(asyncapi: dict[str, Any]) -> None:
    received = {f"client.{type_.__struct_config__.tag}" for type_ in get_args(Frame)}
    sent = {f"gateway.{type_.__struct_config__.tag}" for type_ in get_args(Answered)}
    assert set(asyncapi["components"]["messages"]) == received | sent | {"event"}


@pytest.mark.long
def test_the_schema_of_asyncapi_takes_the_document(asyncapi: dict[str, Any], tmp_path: Path) -> None:
    npm(tmp_path, "@asyncapi/specs")
    schema = json.loads((tmp_path / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())
    validator = jsonschema_rs.Draft7Validator(schema)
    assert not [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(asyncapi)]
    assert not validator.is_valid({**asyncapi, "operations": {"send.event": {"action": "shout"}}})


def test_answers_are_what_the_document_says(settings: Settings) -> None:
    options = GatewaySettings(port=0, grants={"ops": ("admin",)})
    with serving_gateway(settings, options) as served, served.http(token_of(settings, "ops", service=True)) as http:
        contract = {"version": "1.0.0", "accepts": {"page": {"type": "object"}}}
        assert http.put("/v1/modules/sink/contract", json=contract).status_code == 200
        whole = http.get("/openapi.json").json()
        assert http.get("/asyncapi.json").json()["asyncapi"] == "3.0.0"
        for path in ("/healthz", "/readyz", "/v1/modules", "/v1/agreements", "/v1/sessions", "/v1/modules/sink/dead"):
            template = path.replace("sink", "{module}")
            check(whole, template, "get", http.get(path))
        check(whole, "/v1/modules/{module}/contract", "get", http.get("/v1/modules/sink/contract"))
        check(whole, "/v1/modules/{module}/contract", "get", http.get("/v1/modules/nobody/contract"))
        check(whole, "/v1/modules/{module}/contract", "put", http.put("/v1/modules/sink/contract", json=contract))
        check(whole, "/v1/check", "post", http.post("/v1/check", json={"produced": True, "accepted": False}))
        batch = [{"specversion": "1.0", "id": "1", "source": "a", "type": "page", "target": "sink", "data": 1}]
        kind = {"content-type": "application/cloudevents-batch+json"}
        check(whole, "/v1/messages", "post", http.post("/v1/messages", content=json.dumps(batch), headers=kind))


def check(whole: dict[str, Any], path: str, method: str, answer: Any) -> None:
    """Raises where the answer is not one that the document has for this operation."""
    response = whole["paths"][path][method]["responses"][str(answer.status_code)]
    schema = response["content"][answer.headers["content-type"].partition(";")[0]]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": whole["components"]}).validate(answer.json())


def test_metrics_are_read_by_prometheus_with_a_token_that_reads_everything(settings: Settings) -> None:
    with serving_gateway(settings) as served:
        with served.http(token_of(settings, "watcher", service=True)) as http:
            contract = {"version": "1.0.0", "accepts": {}}
            with served.http(token_of(settings, "sink")) as own:
                own.put("/v1/modules/sink/contract", json=contract)
                assert own.get("/metrics").status_code == 403
            plain_text = http.get("/metrics")
            assert plain_text.headers["content-type"].startswith("text/plain")
            assert 'claude_comm_module_instances{module="sink"}' in plain_text.text
            asked = http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
            assert asked.headers["content-type"].startswith("application/openmetrics-text")
            assert asked.text.rstrip().endswith("# EOF")
        with served.http() as nobody:
            assert nobody.get("/metrics").status_code == 401
