"""The guard: names, origins, tokens, cookies and headers, over a real socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from claude_comm.client import keyholders
from claude_comm.errors import ConfigurationError
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.core.principals import EVERYTHING, Principal
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.waiting import wait_until

ADMINISTRATOR = Principal("administrator", EVERYTHING, is_module=False)
PAGE = "https://page.example"


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, origins=(PAGE,))) as running:
        yield running


def logged_in(served: Served) -> httpx.Client:
    client = served.http()
    code = served.gateway.sessions.new_code(ADMINISTRATOR)
    answer = client.get("/login", params={"code": code})
    assert answer.status_code == 303
    return client


def test_it_says_that_it_lives_and_can_serve_to_anybody(served: Served) -> None:
    with served.http() as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}


def test_nobody_reads_anything_without_a_token_that_counts(served: Served) -> None:
    with served.http() as client:
        refused = client.get("/")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorised")
        assert client.get("/", headers={"accept": "text/html"}).headers["location"] == "/login"
        assert client.get("/", headers={"authorization": "Bearer ccm_guess"}).status_code == 401
        assert client.get("/", headers={"authorization": "Basic Y2NtOg=="}).status_code == 401


def test_a_token_in_the_address_counts_for_nothing(settings: Settings, served: Served) -> None:
    token = token_of(settings, "ops", service=True)
    with served.http() as client:
        assert client.get("/", params={"token": token, "access_token": token}).status_code == 401


HTML = {"accept": "text/html,*/*;q=0.8"}


def test_a_browser_that_nobody_knows_logs_in_and_goes_on_where_it_was(settings: Settings, served: Served) -> None:
    token = token_of(settings, "ops", service=True)
    with served.http() as client:
        sent = client.get("/ui/messages?failed=1&target=a%20b", headers=HTML)
        assert sent.status_code == 303
        form = client.get(sent.headers["location"], headers=HTML)
        assert 'name="next" value="/ui/messages?failed=1&amp;target=a%20b"' in form.text
        assert "login is over" not in form.text
        onward = {"token": token, "next": "/ui/messages?failed=1&target=a%20b"}
        assert client.post("/login", data=onward | {"token": "wrong"}).status_code == 403
        assert client.post("/login", data=onward).headers["location"] == onward["next"]
        again = client.get("/login?next=/ui/audit", headers=HTML)
        assert again.headers["location"] == "/ui/audit", "who is logged in goes on at once"


def test_a_login_that_is_over_is_said_and_a_form_leads_back_to_its_page(served: Served) -> None:
    with contextlib.closing(logged_in(served)) as client:
        served.gateway.sessions.end(client.cookies["claude_comm_session"])
        sent = client.get("/ui/audit", headers=HTML).headers["location"]
        assert "login is over" in client.get(sent).text
        form = {
            **HTML,
            "content-type": "application/x-www-form-urlencoded",
            "referer": f"{served.address}/ui/dead/a?x=1",
        }
        sent = client.post("/ui/dead/a/redrive", content=b"", headers=form).headers["location"]
        assert sent == "/login?next=%2Fui%2Fdead%2Fa%3Fx%3D1&over=1"
        nowhere = client.post("/ui/dead/a/redrive", content=b"", headers={**form, "referer": "http://[/ui/"})
        assert nowhere.headers["location"] == "/login?over=1"


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "https://evil.example/ui/", "/\\evil.example", "/login", "/ui/\r\nx: y", "javascript:alert(1)",
     "/ui/" + "x" * 5_000, "\\\\evil", "http:/ui/audit", "/v1/modules",
     "///ui/audit", "///", "//[", "//[/ui/"],
)  # fmt: skip
def test_a_login_leads_to_pages_of_the_dashboard_alone(settings: Settings, served: Served, address: str) -> None:
    with contextlib.closing(logged_in(served)) as client:
        assert client.get("/login", params={"next": address}).headers["location"] == "/"


def test_a_link_on_another_site_finds_the_login_of_the_browser(served: Served) -> None:
    """A cookie of SameSite=Strict does not come with such a step: the page takes it again, from this site."""
    with served.http() as client:
        page = client.get("/ui/audit", headers={**HTML, "sec-fetch-site": "cross-site"})
        assert page.status_code == 200
        assert '<meta http-equiv="refresh" content="0">' in page.text
        assert client.get("/ui/audit", headers={**HTML, "sec-fetch-site": "same-origin"}).status_code == 303


def test_whoever_may_not_look_is_told_on_a_page_and_may_log_out(settings: Settings, served: Served) -> None:
    with served.http() as client:
        client.post("/login", data={"token": token_of(settings, "web")})
        page = client.get("/ui/audit", headers=HTML)
        assert page.status_code == 403
        assert "it takes the scope read:*" in page.text
        assert 'action="/logout"' in page.text
        page = client.get("/nothing", headers=HTML)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert client.get("/nothing").json()["code"] == "not_found"


def test_a_code_logs_a_browser_in_once(served: Served) -> None:
    code = served.gateway.sessions.new_code(ADMINISTRATOR)
    with served.http() as client:
        first = client.get("/login", params={"code": code})
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.get("/").status_code == 200
    with served.http() as other:
        assert other.get("/login", params={"code": code}).status_code == 403
        assert other.get("/").status_code == 401


def test_a_cookie_alone_changes_nothing(served: Served) -> None:
    with contextlib.closing(logged_in(served)) as client:
        assert client.post("/logout").status_code == 403
        assert client.post("/logout", data={"csrf": "guess"}).status_code == 403
        session = served.gateway.sessions.find(client.cookies["claude_comm_session"])
        assert session is not None
        assert client.post("/logout", data={"csrf": session.csrf}).status_code == 303
        assert client.get("/").status_code == 401


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/modules/a/dead/redrive", "/v1/check"])
def test_json_that_calls_itself_a_form_takes_the_token_of_the_session_too(served: Served, path: str) -> None:
    with contextlib.closing(logged_in(served)) as client:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        refused = client.post(path, content='{"target": "a", "data": 1}', headers=kind)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_session_ends_with_the_token_that_it_began_with(settings: Settings, served: Served) -> None:
    token = token_of(settings, "ops", service=True)
    with served.http() as client:
        assert client.post("/login", data={"token": token}).status_code == 303
        assert client.get("/").status_code == 200
        with connect(settings) as control:
            keyholders.revoke(control, settings, "ops")
        wait_until(lambda: client.get("/").status_code == 401)


@pytest.mark.parametrize(("limit", "status"), [("1", 200), ("0", 400), ("0000001000000", 400), ("x", 400)])
def test_a_limit_is_a_limit(served: Served, limit: str, status: int) -> None:
    with contextlib.closing(logged_in(served)) as client:
        assert client.get("/v1/agreements", params={"limit": limit}).status_code == status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", ""])
def test_another_name_for_this_address_is_refused(served: Served, host: str) -> None:
    with served.http() as client:
        answer = client.get("/healthz", headers={"host": host})
        assert answer.status_code in (400, 421)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "file://", f"{PAGE}.evil", "http://["]
)
def test_a_page_of_another_origin_is_refused(served: Served, origin: str) -> None:
    with served.http() as client:
        assert client.get("/healthz", headers={"origin": origin}).status_code == 403


def test_a_page_of_an_allowed_origin_may_ask(served: Served) -> None:
    with served.http(origin=PAGE) as client:
        assert client.get("/healthz").headers["access-control-allow-origin"] == PAGE
        allowed = client.options("/v1/messages", headers={"access-control-request-method": "POST"})
        assert allowed.status_code == 204
        assert "authorization" in allowed.headers["access-control-allow-headers"]


def test_every_answer_has_the_headers_that_bind_a_browser(served: Served) -> None:
    with served.http() as client:
        for path in ("/", "/login", "/healthz", "/static/gateway.css", "/nothing"):
            headers = client.get(path).headers
            assert "unsafe-inline" not in headers["content-security-policy"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/static/../core/tokens.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "//etc/passwd", "/static/%00"]
)
def test_a_path_leads_to_nothing_outside(served: Served, path: str) -> None:
    with served.http() as client:
        assert client.get(path).status_code in (401, 404)


def test_files_are_known_again_by_their_tag(served: Served) -> None:
    with served.http() as client:
        first = client.get("/static/gateway.css")
        assert first.headers["content-type"].startswith("text/css")
        again = client.get("/static/gateway.css", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304


def test_a_public_gateway_without_tokens_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="--public"):
        GatewaySettings(host="0.0.0.0")
    with pytest.raises(ConfigurationError, match="without tokens is refused"):
        GatewaySettings(public=True, anonymous=True)
