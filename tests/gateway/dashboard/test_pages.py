"""Every view, made from a live system and from an empty one: what it says, and that nothing in it can run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from claude_comm import Publisher, Settings
from claude_comm.gateway.dashboard.pages import PAGES
from claude_comm.gateway.dashboard.query import link
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.support.dashboard import HOSTILE, TOKEN, dashboard, populated

PLAIN = [page.path for page in PAGES if "{" not in page.path]


@pytest.fixture(scope="module")
def shop(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    url = f"unix://{private_server.socket_path(shared_home)}"
    settings = Settings(home=tmp_path_factory.mktemp("home"), url=url, namespace="dashpages")
    with populated(settings):
        yield settings


@pytest.fixture(scope="module")
def browser(shop: Settings) -> Iterator[TestClient]:
    app, source = dashboard(shop, lambda _request: Visitor("ann", True, TOKEN))
    with TestClient(app, follow_redirects=False) as opened:
        yield opened
    source.close()


class _Page(HTMLParser):
    """What a page holds that matters here."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.unsafe: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.unsafe += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not (given.get("src") or "").startswith("/static/")):
            self.unsafe.append(tag)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "label" and "for" in given:
            self.labelled.add(str(given["for"]))
        if tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "checkbox"):
            self.fields.append(given)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def read(browser: TestClient, path: str, status: int = 200) -> _Page:
    answer = browser.get(path)
    assert answer.status_code == status, f"{path}: {answer.status_code}"
    return _Page(answer.text)


def crawl(browser: TestClient, start: str = "/") -> dict[str, _Page]:
    """Every page that can be reached, one of each pattern of filters."""
    pages: dict[str, _Page] = {}
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop().partition("#")[0]
        pattern = re.sub(r"=[^&]*", "=", re.sub(r"[0-9a-f-]{8,}|\d+", "N", path))
        if pattern in seen or not path.startswith("/") or len(pages) > 150:
            continue
        seen.add(pattern)
        page = pages[path] = read(browser, path)
        waiting += page.links
    return pages


@pytest.fixture(scope="module")
def pages(browser: TestClient) -> dict[str, _Page]:
    return crawl(browser)


def test_every_page_is_reached_from_the_overview_and_no_link_is_broken(pages: dict[str, _Page]) -> None:
    reached = {path.partition("?")[0] for path in pages}
    for page in PAGES:
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", page.path)
        assert any(re.fullmatch(pattern, path) for path in reached), f"nothing leads to {page.path}"


def test_no_page_has_a_style_or_script_of_its_own(pages: dict[str, _Page]) -> None:
    for path, page in pages.items():
        assert page.unsafe == [], path


def test_every_field_has_a_label_and_every_id_stands_once(pages: dict[str, _Page]) -> None:
    for path, page in pages.items():
        for field in page.fields:
            assert field.get("id") in page.labelled or field.get("aria-label"), f"{path}: {field}"
        assert len(page.ids) == len(set(page.ids)), path


def test_hostile_text_is_text_on_every_page(pages: dict[str, _Page], browser: TestClient) -> None:
    shown = [path for path, page in pages.items() if "<script>window.owned=1</script>" in page.words]
    assert any(path.startswith("/ui/dead") for path in shown)
    assert any(path.startswith("/ui/messages/") for path in shown)
    for path in pages:
        raw = browser.get(path).text
        assert "<script>window" not in raw
        assert "\u202e" not in raw
        assert "\x1b" not in raw
    assert HOSTILE not in "".join(page.words for page in pages.values()), "control characters are shown as escapes"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", ("Who breaks if this changes?", "Why did this message not arrive?", "What is slow?")),
        ("/", ("What is piling up, and who holds it?", "What failed, and would it pass now?", "Who talks to whom?")),
        ("/", ("modules running", "oldest pending", "buried", "memory", "shop has buried")),
        ("/ui/topology", ("proved", "adapted", "broken", "carrier", "shop")),
        ("/ui/flows", ("web shop", "shop carrier", "95 %")),
        ("/ui/contracts", ("shop", "carrier", "order", "parcel")),
        ("/ui/contracts/shop", ("1.0.0", "A smallest message", "customer", "required", "agreed")),
        ("/ui/contracts/web", ("web has not registered",)),
        ("/ui/agreements", ("adapted", "incompatible", "old-web")),
        ("/ui/streams?sort=waiting", ("shop inbox", "nobody inbox", "no module has ever read it", "topic:news")),
        ("/ui/messages?failed=1", ("failed", "shop")),
        ("/ui/dead?check=1", ("would pass now", "no such customer", "of 1")),
        ("/ui/sessions", ("sales", "messages")),
        ("/ui/sessions/sales", ("shop: orders", "Timeline", "web", "shop", "carrier")),
        ("/ui/workers", ("append-only file", "negotiation", "up")),
        ("/ui/send?target=shop&type=order", ("number required", "customer required", "paid")),
        ("/ui/audit", ("Nothing has been changed yet",)),
    ],
)  # fmt: skip
def test_a_view_says_what_it_is_for(browser: TestClient, path: str, words: tuple[str, ...]) -> None:
    text = read(browser, path).words
    for word in words:
        assert word in text


def test_an_agreement_shows_its_adapter_its_witness_and_its_history(browser: TestClient) -> None:
    listed = read(browser, "/ui/agreements?answer=adapted")
    agreement = read(browser, next(link for link in listed.links if re.fullmatch(r"/ui/agreements/[0-9a-f]{64}", link)))
    assert "`client` becomes `customer`" in agreement.words
    assert "two validators confirm it" in agreement.words
    assert "History of the pair" in agreement.words


def test_a_message_shows_its_way_and_its_conversation(browser: TestClient) -> None:
    failed = read(browser, "/ui/messages?failed=1")
    message = read(browser, next(link for link in failed.links if re.fullmatch(r"/ui/messages/\d+", link)))
    assert "buried by shop" in message.words
    unread = read(browser, "/ui/messages?target=nobody")
    lost = read(browser, next(link for link in unread.links if re.fullmatch(r"/ui/messages/\d+", link)))
    assert "nobody has not read its inbox" in lost.words
    assert "no module of that name has registered" in lost.words
    parcel = read(browser, "/ui/messages?target=carrier&type=parcel")
    caused = read(browser, next(link for link in parcel.links if re.fullmatch(r"/ui/messages/\d+", link)))
    assert "handled by carrier" in caused.words
    assert "web → shop order" in caused.words, "the message that caused it stands above it"


def test_a_search_by_a_place_in_the_payload_states_its_coverage(browser: TestClient) -> None:
    page = read(browser, "/ui/messages?where=%24.weight_g+%3D+500&source=shop")
    assert re.search(r"Searched 10 of 10 in [\d.]+ ms", page.words)
    assert len([link for link in page.links if re.fullmatch(r"/ui/messages/\d+", link)]) == 5
    refused = read(browser, "/ui/messages?where=weight")
    assert "is no search: write a place" in refused.words


def test_what_if_names_who_breaks_with_a_witness(browser: TestClient) -> None:
    contract = browser.get("/ui/what-if?module=shop").text
    assert "&#34;accepts&#34;" in contract
    changed = (
        '{"version": "2.0.0", "accepts": {"order": {"type": "object", "properties": {"number": {"type": "integer"},'
        ' "vat": {"type": "number"}}, "required": ["number", "vat"]}}}'
    )
    answer = _Page(browser.post("/ui/what-if", data={"module": "shop", "contract": changed, "days": "30"}).text)
    assert "broken" in answer.words
    assert "← web (order)" in answer.words
    assert "`vat` may be missing" in answer.words
    trouble = _Page(browser.post("/ui/what-if", data={"module": "shop", "contract": "{no json"}).text)
    assert "the contract is no JSON" in trouble.words


def test_six_questions_are_answered_one_click_from_the_overview(browser: TestClient) -> None:
    answers = {
        "Who breaks if this changes?": "Who breaks?",
        "Why did this message not arrive?": "no such customer",
        "What is slow?": "Slowest first",
        "What is piling up, and who holds it?": "group, and who holds what",
        "What failed, and would it pass now?": "would pass now",
        "Who talks to whom?": "adapted",
    }
    overview = browser.get("/").text
    for question, answer in answers.items():
        href = re.search(rf'<li><a href="([^"]+)"><b>{re.escape(question)}</b>', overview)
        assert href is not None, question
        assert answer in read(browser, unescape(href[1])).words, question


def test_a_way_that_is_broken_says_why_and_leads_to_both_ends(browser: TestClient) -> None:
    """`wrong` has negotiated and was refused: it never registered, and sent nothing."""
    page = read(browser, "/ui/topology?state=broken")
    assert "the consumer needs a boolean (at $.paid)" in page.words
    assert "wrong has not registered" in read(browser, "/ui/contracts/wrong").words


def test_what_is_not_there_is_a_page_that_says_so(browser: TestClient) -> None:
    page = read(browser, "/ui/contracts/shopp", 404)
    assert "Did you mean 'shop'?" in page.words
    assert "no message" in read(browser, "/ui/messages/999999", 404).words.lower()
    assert "no agreement has the id" in read(browser, "/ui/agreements/00", 404).words
    assert read(browser, "/ui/sessions/none", 404)
    assert "no page /ui/nothing" in read(browser, "/ui/nothing", 404).words
    assert "nothing is not on the map" in read(browser, "/ui/topology?around=nothing").words
    assert browser.get("/ui/topology/", follow_redirects=False).headers["location"] == "/ui/topology"
    assert browser.get("/ui/find?reference=7").headers["location"] == "/ui/messages/7"


def test_an_address_of_chance_is_no_fault(browser: TestClient) -> None:
    for value in ("soon", "0", "-1", "<b>", "\0"):
        assert browser.get("/", params={"range": value}).status_code == 200


def test_links_of_a_page_keep_an_odd_name(shop: Settings, browser: TestClient) -> None:
    name = "a b?c#d/e<f>"
    with Publisher("web", settings=shop) as web:
        web.publish("nobody", {}, type="odd", session=name)
    with open_database(shop.database) as database, connect(shop) as client:
        catch_up(client, database, Keys(shop.namespace), max_bytes=shop.max_envelope_bytes)
    page = read(browser, link("sessions", name))
    (only_failed,) = {reference for reference in page.links if reference.endswith("failed=1")}
    assert name in read(browser, only_failed).words


def test_every_answer_has_the_policy(browser: TestClient) -> None:
    headers = browser.get("/").headers
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_an_empty_system_has_all_pages(settings: Settings) -> None:
    app, source = dashboard(settings, lambda _request: Visitor("ann", False))
    with TestClient(app) as opened:
        for path in PLAIN:
            assert read(opened, path).words
    source.close()
