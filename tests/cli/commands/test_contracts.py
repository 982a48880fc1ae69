"""`module register`, `module show`, `module retire`, and versions in `modules`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import pending
from tests.support.waiting import wait_until

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


def test_a_module_with_many_types_is_one_short_line_of_the_table(run: Any, file: Callable[..., str]) -> None:
    many = {"module": "many", "version": "1.0.0", "accepts": {f"type.{number:03}": True for number in range(200)}}
    run("module", "register", file(many))
    shown = run("modules").out
    assert "type.007, and 192 more" in shown
    assert max(map(len, shown.splitlines())) < 200
    assert len(run("modules", "--json").json[0]["accepts"]) == 200


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


SENT = {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]}
WANTED = {"type": "object", "properties": {"cost": {"type": "integer"}}, "required": ["cost"]}


@pytest.fixture
def shop(run: Any, file: Callable[..., str]) -> None:
    """`till` sends a price, which `shop` accepts as a cost by its alias."""
    run(
        "module", "register", file({"module": "till", "produces": [{"type": "sale", "schema": SENT, "target": "shop"}]})
    )
    accepting = {"module": "shop", "accepts": {"sale": WANTED}, "aliases": {"sale": {"cost": ["price"]}}}
    run("module", "register", file(accepting))


@pytest.mark.usefixtures("shop")
def test_two_modules_negotiate_with_the_adapter_that_is_declared(run: Any) -> None:
    ran = run("negotiate", "till", "shop")
    assert ran.code == 0
    assert "till 1.0.0 -> shop 1.0.0 (sale)" in ran.out
    assert "adapter: `price` becomes `cost`, a declared alias" in ran.out
    (agreement,) = run("negotiate", "till", "shop", "--type", "sale", "--json").json
    assert (agreement["producer_version"], agreement["consumer_version"]) == ("1.0.0", "1.0.0")
    assert run("negotiate", "till", "shop", "--type", "other").code == 3
    assert run("negotiate", "shop", "till").code == 3
    assert run("negotiate", "nobody", "shop").code == 3


@pytest.mark.usefixtures("shop")
def test_without_the_alias_the_rename_is_only_proposed(run: Any, file: Callable[..., str]) -> None:
    named = {**WANTED, "properties": {"prices": {"type": "integer"}}, "required": ["prices"]}
    run("module", "register", file({"module": "shop", "version": "2.0.0", "accepts": {"sale": named}}))
    ran = run("negotiate", "till", "shop")
    assert ran.code == 1
    assert "would fit, by guess: `price` becomes `prices`" in ran.out


@pytest.mark.usefixtures("shop")
def test_a_version_that_breaks_a_partner_is_held_until_it_approves(run: Any, file: Callable[..., str]) -> None:
    run("negotiate", "till", "shop")
    narrower = {"module": "shop", "version": "2.0.0", "accepts": {"sale": {**WANTED, "required": ["cost", "vat"]}}}
    held = run("module", "register", "--hold", file(narrower))
    assert "pending" in held.out
    assert "it waits for till" in held.err
    assert run("module", "show", "shop", "--json").json["version"] == "1.0.0"
    assert run("negotiate", "till", "shop").code == 0
    assert run("contract", "approve", "shop", "2.0.0", "--for", "nobody").code == 2
    assert run("contract", "approve", "shop", "2.0.0", "--for", "till", "--by", "ann").out.endswith("live\n")
    again = run("contract", "approve", "shop", "2.0.0", "--for", "till")
    assert (again.code, "no pending version 2.0.0" in again.err) == (3, True)
    history = run("module", "show", "shop", "--json").json["history"]
    assert [
        (one["kind"], one.get("by", ""), one.get("partner", "")) for one in history if one["kind"] == "approved"
    ] == [("approved", "ann", "till")]
    assert run("negotiate", "till", "shop").code == 1
    fitting = {**narrower, "version": "3.0.0", "accepts": {"sale": True}}
    assert "live" in run("module", "register", "--hold", file(fitting)).out


@pytest.mark.usefixtures("shop")
def test_a_message_that_was_adapted_is_shown_both_ways(run: Any, settings: Settings, client: Client) -> None:
    seen = []
    module = Module("shop", settings=settings)

    @module.handles("sale", accepts=WANTED, aliases={"cost": ["price"]})
    def sale(payload: dict[str, Any]) -> None:
        seen.append(payload)

    with Publisher("till", settings=settings) as publisher:
        publisher.negotiate("shop", SENT, type="sale")
        id_ = publisher.publish("shop", {"price": 4}, type="sale")
        with running(module):
            wait_until(lambda: seen == [{"cost": 4}])
            wait_until(lambda: pending(client, Keys(settings.namespace), "shop") == 0)
    shown = run("show", id_).out
    assert '"price": 4' in shown
    assert '"cost": 4' in shown
    assert "adapted for" in shown
    assert run("show", id_, "--json").json["adapters"].startswith("shop=")


@pytest.mark.parametrize("more", [{}, {"formats": "assert", "topics": ["orders"], "max_lag": 7}])
def test_what_show_prints_as_json_can_be_registered(run: Any, file: Callable[..., str], more: dict[str, Any]) -> None:
    dated = {"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}
    run("module", "register", file({**DOCUMENT, **more, "accepts": {"count": WHOLE, "dated": dated}}))
    shown = run("module", "show", "sink", "--json").json
    assert run("module", "register", file(shown)).out.endswith("live, as it was\n")
    again = run("module", "register", file({**shown, "version": "1.1.0"}))
    assert (again.code, again.out.split()[-2:]) == (0, ["live,", "registered"])
