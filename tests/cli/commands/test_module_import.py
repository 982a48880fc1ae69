"""`module import`: from a file of another format to a registered contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PETS = """
openapi: 3.0.3
info: {title: Pet Store, version: 1.2.0}
paths:
  /pets:
    post:
      operationId: addPet
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: {type: string, nullable: true, example: 2020-01-01}
                state: {type: string, enum: [on, off]}
          application/xml: {}
      responses:
        200: {description: done, content: {application/json: {schema: {type: integer}}}}
"""


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


def test_what_is_imported_can_be_registered(run: Any, tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text(PETS)
    ran = run("module", "import", tmp_path / "pets.yaml", "--module", "pets", "-o", tmp_path / "pets.json")
    assert (ran.code, ran.out) == (0, "")
    assert "#/paths/~1pets/post/requestBody/content/application~1xml: it is not JSON" in ran.err
    assert run("module", "register", tmp_path / "pets.json").out.startswith("pets 1.2.0")
    shown = run("module", "show", "pets", "--json").json
    assert shown["accepts"]["addPet"]["properties"]["name"]["type"] == ["string", "null"]
    # YAML 1.1 would have made booleans and a date of these.
    assert shown["accepts"]["addPet"]["properties"]["state"]["enum"] == ["on", "off"]
    assert shown["replies"] == {"addPet": {"type": "integer"}}
    as_json = run("module", "import", tmp_path / "pets.yaml", "--json").json
    assert (as_json["contract"]["module"], len(as_json["notes"])) == ("Pet-Store", 1)


def test_our_own_asyncapi_document_comes_back_by_module(run: Any, file: Any, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run("module", "register", file({"module": name, "version": "1.0.0", "accepts": {"m": {"type": "integer"}}}))
    before = run("module", "show", "second", "--json").json["versions"][0]["digest"]
    run("export", "asyncapi", "-o", tmp_path / "all.json")
    ran = run("module", "import", tmp_path / "all.json")
    assert (ran.code, "first, second" in ran.err) == (2, True)
    run("module", "import", tmp_path / "all.json", "--module", "second", "-o", tmp_path / "second.json")
    assert run("module", "register", tmp_path / "second.json").out == f"second 1.0.0 {before[:12]} live, as it was\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "nested more than"),
        ("{", "is not YAML"),
        ("a: .nan", "JSON does not have"),
        ("a: 1", "none of the"),
    ],
)
def test_a_file_of_no_use_is_refused_by_its_name(run: Any, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    ran = run("module", "import", tmp_path / "broken.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "broken.yaml" in ran.err
    assert said in ran.err
