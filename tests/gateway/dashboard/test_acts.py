"""Acts from the dashboard: shown before, done once, written into the audit, and only for those who may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from claude_comm import Settings
from claude_comm.client.identity import micros
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.names import Keys
from claude_comm.ops import audit, registration, registry
from claude_comm.registry.audit import Act
from claude_comm.runtime import private_server
from claude_comm.transport.connect import connect
from tests.support import streams
from tests.support.dashboard import TOKEN, dashboard, populated


@pytest.fixture(scope="module")
def shop(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    url = f"unix://{private_server.socket_path(shared_home)}"
    settings = Settings(home=tmp_path_factory.mktemp("home"), url=url, namespace="dashacts")
    with populated(settings):
        yield settings


@pytest.fixture
def visitor() -> Visitor:
    return Visitor("ann", True, TOKEN)


@pytest.fixture
def browser(shop: Settings, visitor: Visitor) -> Iterator[TestClient]:
    app, source = dashboard(shop, lambda _request: visitor)
    with TestClient(app, follow_redirects=False) as opened:
        yield opened
    source.close()


def acts(shop: Settings) -> list[Act]:
    with connect(shop) as client:
        return client.run(audit.page(Keys(shop.namespace), limit=100)).acts


def buried(shop: Settings) -> int:
    with connect(shop) as client:
        return len(streams.dead(client, Keys(shop.namespace), "shop"))


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"csrf": "wrong"}, {}),
        ({"csrf": TOKEN}, {"origin": "https://elsewhere.example"}),
        ({"csrf": TOKEN}, {"origin": "null"}),
        ({"csrf": TOKEN}, {"sec-fetch-site": "cross-site"}),
    ],
)
def test_a_form_of_another_page_changes_nothing(
    shop: Settings, browser: TestClient, form: dict[str, str], headers: dict[str, str]
) -> None:
    before = len(acts(shop))
    answer = browser.post("/ui/dead/shop/redrive", data=form, headers=headers)
    assert answer.status_code == 403
    assert (buried(shop), len(acts(shop))) == (1, before)


@pytest.mark.parametrize("visitor", [Visitor("bob", False, TOKEN)])
def test_who_may_only_look_changes_nothing(shop: Settings, browser: TestClient, visitor: Visitor) -> None:
    assert "You may look only" in browser.get("/ui/dead/shop").text
    answer = browser.post("/ui/dead/shop/redrive", data={"csrf": TOKEN})
    assert (answer.status_code, buried(shop)) == (403, 1)
    assert "bob may look, and change nothing" in answer.text


def test_a_dry_run_moves_nothing_and_a_redrive_what_it_showed(shop: Settings, browser: TestClient) -> None:
    dry = browser.get("/ui/dead/shop?type=order").text
    assert "1 message</b> would be put back" in re.sub(r"\s+", " ", dry)
    assert buried(shop) == 1
    answer = browser.post("/ui/dead/shop/redrive", data={"csrf": TOKEN, "type": "order"})
    assert answer.status_code == 303
    assert "1 message put back into the inbox" in browser.get(answer.headers["location"]).text
    act = acts(shop)[0]
    assert (act.act, act.target, act.by, act.outcome, act.failed) == ("redrive", "shop", "ann", "1 put back", False)
    assert act.detail == "type 'order'"
    assert "1 put back" in browser.get("/ui/audit").text


def test_a_message_is_sent_by_the_form_and_refused_with_the_place(shop: Settings, browser: TestClient) -> None:
    form = {"csrf": TOKEN, "target": "shop", "type": "order", "source": "desk", "field.number": "12"}
    refused = browser.post("/ui/send", data={**form, "field.number": "twelve", "field.customer": "Ann"})
    assert refused.status_code == 422
    assert "the property &#39;number&#39; is no JSON" in refused.text
    assert 'value="Ann"' in refused.text, "what was written stays"
    assert acts(shop)[0].failed
    sent = browser.post("/ui/send", data={**form, "field.customer": "Ann"})
    assert sent.status_code == 303
    shown = browser.get(sent.headers["location"]).text
    assert "Sent:" in shown
    assert (acts(shop)[0].act, acts(shop)[0].detail) == ("send", "order from desk")
    as_json = browser.post("/ui/send", data={**form, "as_json": "1", "text": '{"number": 1}'})
    assert as_json.status_code == 422
    assert "customer" in as_json.text


@pytest.mark.parametrize("version", [{"version": "9.9.9"}, {}])
def test_an_act_that_fails_is_in_the_audit(shop: Settings, browser: TestClient, version: dict[str, str]) -> None:
    answer = browser.post("/ui/contracts/shop/retire", data={"csrf": TOKEN, **version})
    assert answer.status_code >= 400
    act = acts(shop)[0]
    assert (act.act, act.failed) == ("retire", True)
    assert act.outcome


def test_a_form_that_is_too_large_is_refused(browser: TestClient) -> None:
    answer = browser.post("/ui/send", data={"csrf": TOKEN, "text": "x" * 2_100_000})
    assert answer.status_code == 400
    assert "over the limit of 2,000,000 bytes" in answer.text
    answer = browser.post("/ui/send", data={"csrf": TOKEN, **{f"field.{number}": "1" for number in range(600)}})
    assert answer.status_code == 400
    assert "at most 500 fields" in answer.text


def test_a_version_that_waits_is_approved_and_retired_and_one_that_runs_is_not(
    shop: Settings, browser: TestClient
) -> None:
    keys = Keys(shop.namespace)
    with connect(shop) as client:
        standing = client.run(registry.standing(keys, "shop", now_ms=micros() // 1000))
        assert standing is not None
        assert standing.current is not None
        (contract,) = client.run(registry.contracts_of(keys, [("shop", standing.current.digest)])).values()
        order = {**contract.accepts["order"], "required": ["number", "customer", "vat"]}
        order["properties"] = {**order["properties"], "vat": {"type": "string"}}
        next_one = msgspec.structs.replace(contract, version="2.0.0", accepts={"order": order}, registered_us=micros())
        release = client.run(registration.register(keys, next_one, hold=True)).release
    assert release.awaits
    for partner in release.awaits:
        assert f"<option>{partner}</option>" in browser.get(f"/ui/contracts/shop?version={release.digest[:12]}").text
        form = {"csrf": TOKEN, "version": release.digest, "partner": partner}
        done = browser.post("/ui/contracts/shop/approve", data=form)
        assert done.status_code == 303
        after = browser.get(done.headers["location"]).text
        assert f"<option>{partner}</option>" not in after
        assert (f"{partner} approved" in after) is (partner != release.awaits[-1])
        assert (acts(shop)[0].act, acts(shop)[0].by, acts(shop)[0].failed) == ("approve", "ann", False)
    assert acts(shop)[0].outcome == "2.0.0 is live"
    refused = browser.post("/ui/contracts/shop/retire", data={"csrf": TOKEN, "version": standing.current.digest})
    assert refused.status_code == 409, "an instance runs it"
    assert "That was not done" in refused.text
    assert browser.post("/ui/contracts/shop/retire", data={"csrf": TOKEN, "version": release.digest}).status_code == 303
    assert (acts(shop)[0].act, acts(shop)[0].outcome) == ("retire", "1 retired")
    assert "retired" in browser.get("/ui/contracts/shop").text
