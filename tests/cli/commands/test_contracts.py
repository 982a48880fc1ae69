"""`module register`, `module show`, `module retire`, and versions in `modules`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WHOLE = {"type": "object", "properties": {"n": {"type": "integer"}, "why": {"type": "string"}}, "required": ["n"]}
DOCUMENT = {
    "module": "sink",
    "version": "1.0.0",
    "description": "Counts.",
    "accepts": {"count": WHOLE},
    "produces": [{"type": "sum", "schema": {"type": "integer"}, "target": "display"}],
    "aliases": {"count": {"n": ["number"]}},
    "defaults": {"count": {"why": "none"}},
    "compatibility": "backward",
}


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


def test_a_contract_from_a_file_is_shown_to_its_partners(run: Any, file: Callable[..., str]) -> None:
    assert run("module", "register", file(DOCUMENT)).out.split()[-2:] == ["live,", "registered"]
    assert run("module", "register", file({**DOCUMENT, "description": "."})).out.endswith("live, as it was\n")
    shown = run("module", "show", "sink").out
    for part in ("sink 1.0.0", "accepts count", "required", "formerly number", '{"n":0}', "sends sum to display"):
        assert part in shown
    as_json = run("module", "show", "sink", "--json").json
    assert as_json["accepts"]["count"]["properties"]["why"]["default"] == "none"
    assert [change["kind"] for change in as_json["history"]] == ["registered"]
    assert run("module", "show", "sinc").code == 3


def test_a_contract_that_breaks_its_promise_is_refused_with_the_message(run: Any, file: Callable[..., str]) -> None:
    run("module", "register", file(DOCUMENT))
    narrower = {**WHOLE, "required": ["n", "why"]}
    ran = run("module", "register", file({**DOCUMENT, "version": "1.1.0", "accepts": {"count": narrower}}))
    assert (ran.code, ran.out) == (1, "")
    assert '{"n":0} would be refused' in ran.err


def test_every_problem_of_a_document_is_named(run: Any, file: Callable[..., str]) -> None:
    ran = run("module", "register", file({"module": "sink", "accept": {}, "compatibility": "sometimes"}))
    assert ran.code == 2
    assert "Did you mean 'accepts'" in ran.err
    assert "$.compatibility" in ran.err
    ran = run("module", "register", file({"module": "sink", "accepts": {"count": {"type": "integr"}}}))
    assert ran.code == 2
    assert "$.accepts.count.type" in ran.err
    for odd in (
        {"aliases": {"other": {}}},
        {"version": "one"},
        {"defaults": {"count": {"m": 1}}},
        {"replies": {"x": 3}},
    ):
        assert run("module", "register", file({**DOCUMENT, **odd})).code == 2


def test_a_module_object_is_registered_without_running_it(run: Any, tmp_path: Any) -> None:
    path = tmp_path / "adding.py"
    path.write_text(
        "from claude_comm import Module\nmodule = Module('adder', version='3.1', compatibility='full')\n"
        "@module.handles('add', aliases={'a': ['left']}, passes=['*'])\ndef add(payload: dict[str, int]) -> int:\n"
        "    return 1\n"
    )
    assert run("module", "register", f"{path}:module").code == 0
    shown = run("module", "show", "adder", "--json").json
    assert (shown["version"], shown["compatibility"], shown["passes"]) == ("3.1", "full", {"add": ["*"]})
    assert shown["replies"] == {"add": {"type": "integer"}} or shown["replies"]["add"]["type"] == "integer"


def test_a_retired_version_is_gone_from_the_offer(run: Any, file: Callable[..., str]) -> None:
    for version in ("1.0.0", "2.0.0"):
        run("module", "register", file({**DOCUMENT, "version": version}))
    assert [line.split()[:3] for line in run("modules").out.splitlines()[1:]] == [
        ["sink", "2.0.0", "live"],
        ["sink", "1.0.0", "live"],
    ]
    assert run("module", "retire", "sink", "2.0.0", "--by", "ops").out.endswith("retired\n")
    assert [one["state"] for one in run("modules", "--json").json[0]["versions"]] == ["live", "retired"]
    assert run("module", "retire", "sink", "2.0.0").code == 3
    assert run("module", "retire", "nobody").code == 3
    history = run("module", "show", "sink", "--json").json["history"]
    assert (history[0]["kind"], history[0]["by"]) == ("retired", "ops")
