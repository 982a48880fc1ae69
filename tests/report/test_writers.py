"""Reports as pages and as Markdown: whole, bounded in size, and safe whatever text messages brought."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from claude_comm.report import text
from claude_comm.report.figures import LATENCY_CLASSES_MS, Report, Summary, class_names, latency_class
from claude_comm.report.html import html
from claude_comm.report.markdown import markdown
from tests.report.sample import START_US, report

HOSTILE = "</title></style></script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J|`"
VOID = {"meta", "img", "br"}
EMPTY = Report(subject="nothing", made_us=START_US, version="1", start_us=0, end_us=0, summary=Summary())


class Page(HTMLParser):
    """Tags in order, checked to be closed; the text of each element of interest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def test_a_page_has_every_section_and_a_table_behind_each_chart() -> None:
    page = Page(html(report()))
    assert page.texts["h2"] == [
        "Messages a second, by sender", "Latency", "From module to module", "Buried messages, by reason and place",
        "What was negotiated", "The slowest messages", "Tasks", "File operations", "Messages",
    ]  # fmt: skip
    charts = [attributes["class"] for tag, attributes in page.tags if tag == "svg"]
    assert charts == ["chart stacked", "chart lines", "chart heat", "chart sankey", "chart bars", "chart bars"]
    assert len([tag for tag, _ in page.tags if tag == "table"]) == 9


@pytest.mark.parametrize("write", [html, markdown])
def test_text_of_messages_stays_text(write: object) -> None:
    written = html(report(name=HOSTILE)) if write is html else markdown(report(name=HOSTILE))
    assert "\x1b" not in written
    assert "<script>alert" not in written
    if write is html:
        page = Page(written)
        assert [tag for tag, _ in page.tags].count("script") == 1
        assert not any(tag == "img" or any(name.startswith("on") for name in given) for tag, given in page.tags)
    else:
        assert all(line.count("|") - line.count("\\|") in (0, 5, 6, 7, 8, 9, 11) for line in written.splitlines())


def test_the_policy_of_a_page_names_its_style_and_its_script_and_nothing_else() -> None:
    page = Page(html(report()))
    (policy,) = [given["content"] for tag, given in page.tags if given.get("http-equiv") == "Content-Security-Policy"]
    for kind in ("style", "script"):
        content = "".join(page.texts[kind])
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none'")
    assert not any("style" in given or "src" in given or "href" in given for _, given in page.tags)


def test_a_page_stays_small() -> None:
    assert len(html(report(buckets=240, lines=0))) < 200_000
    assert len(html(report(buckets=240, lines=10_000))) < 2_000_000


@pytest.mark.parametrize("written", [html(EMPTY), markdown(EMPTY)])
def test_a_report_of_nothing_says_so(written: str) -> None:
    assert "There is nothing to report." in written
    assert not re.search("<h2|## ", written)


def test_what_a_reader_wants_to_know_comes_first() -> None:
    assert text.verdict(report()).startswith("640 of 100,000 messages failed and were buried; 260 have not been")
    fine = Report(
        subject="s", made_us=START_US, version="1", start_us=0, end_us=0, summary=Summary(messages=3, handled=3)
    )
    assert text.verdict(fine) == "All 3 messages were handled."


def test_every_latency_has_one_class() -> None:
    assert [latency_class(ms) for ms in (0, 1, 1.1, 60_000, 60_001)] == [0, 0, 1, 13, 14]
    assert len(class_names()) == len(LATENCY_CLASSES_MS) + 1
    assert class_names()[:2] + class_names()[-2:] == ["≤ 1 ms", "2 ms", "60 s", "> 60 s"]


def test_a_size_beyond_all_names_has_the_last_one() -> None:
    assert text.size(1023) == "1023 B"
    assert text.size(5 * 1024.0**9).endswith(text._SIZES[-1])


def test_many_senders_share_the_last_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ">others<" not in html(report())
    monkeypatch.setattr("claude_comm.report.html._MAX_SERIES", 1)
    assert ">others<" in html(report())
