"""The site of the pages: it is built without a warning, works without a network, and no link of it is dead."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.homes import REPOSITORY, child_environ

DOCS = REPOSITORY / "docs"
# Attributes by which a page loads what it shows, and by which it leads on.
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
LEADS = {("a", "href")}


class Page(HTMLParser):
    """What a page of the site loads, where it leads, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if (tag, name) in LOADS:
                self.loads.append(value)
            elif (tag, name) in LEADS:
                self.leads.append(value)
            elif name == "id":
                self.anchors.add(value)


def dead(site: Path) -> list[str]:
    """Links and files that are not there, each with its page; whatever a page loads from elsewhere, too."""
    pages = {path: Page(path) for path in site.rglob("*.html")}
    return sorted(
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in (*page.loads, *page.leads)
        if not _is_there(link, path, pages, loaded=link in page.loads)
    )


def _is_there(link: str, path: Path, pages: dict[Path, Page], *, loaded: bool) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme == "data" or not loaded
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="the site needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site").resolve()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "trees")]
    done = subprocess.run(
        [*command, str(DOCS), str(folder / "html")], env=child_environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.mark.long
def test_no_link_of_the_site_is_dead_and_nothing_comes_from_elsewhere(site: Path) -> None:
    assert len(list(site.glob("*.html"))) > len(list(DOCS.glob("*.md")))
    assert dead(site) == []


@pytest.mark.long
def test_styles_and_scripts_of_the_site_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "url(http" not in text.replace('"', "").replace("'", ""), path.name
        assert "@import" not in text, path.name


@pytest.mark.long
def test_the_search_of_the_site_finds_words_without_a_server(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert '"janitor"' in index
    assert "tutorial" in index


def test_a_dead_link_a_dead_anchor_and_a_foreign_script_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text(
        '<h1 id="x">A</h1><a href="#x"></a><a href="https://x.example/"></a><a href="a.html#x"></a>'
        '<a href="#y"></a><a href="b.html"></a><script src="https://x.example/x.js"></script><img src="b.png">'
    )
    assert dead(tmp_path.resolve()) == [
        "a.html: #y",
        "a.html: b.html",
        "a.html: b.png",
        "a.html: https://x.example/x.js",
    ]
