"""The page in a browser, light and dark: it is drawn, its script runs, and nothing in it is refused or fetched.

Skipped where there is no Chromium.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

from claude_comm.report.html import html
from tests.report.sample import report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTH, HEIGHT = 1000, 1400
# What Blink calls them.
SCHEMES = {"dark": 0, "light": 1}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")


class Shot(NamedTuple):
    """What a browser made of a page: the colour of its first point, how many bytes the picture has, what it complained
    about, and the document after its script ran."""

    corner: tuple[int, int, int]
    size_bytes: int
    complaints: list[str]
    document: str


def browse(page: Path, folder: Path, scheme: str) -> Shot:
    picture = folder / f"{scheme}.png"
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={folder / scheme}", f"--window-size={WIDTH},{HEIGHT}", "--enable-logging=stderr", "--v=0",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--host-resolver-rules=MAP * ~NOTFOUND",
    ]  # fmt: skip
    address = page.as_uri()
    drawn = subprocess.run([*command, f"--screenshot={picture}", address], capture_output=True, text=True, check=True)
    dumped = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, check=True)
    complaints = [line for line in (drawn.stderr + dumped.stderr).splitlines() if "CONSOLE" in line]
    image = picture.read_bytes()
    return Shot(corner(image), len(image), complaints, dumped.stdout)


def corner(image: bytes) -> tuple[int, int, int]:
    """The first point of a PNG: whatever filter its line has, there is nothing before it that would change it."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(image):
        (length,), kind = struct.unpack(">I", image[at : at + 4]), image[at + 4 : at + 8]
        data += image[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    red, green, blue = zlib.decompressobj().decompress(data, 4)[1:4]
    return red, green, blue


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(html(report(name="</script><script>document.title='taken over'</script>")), encoding="utf-8")
    return path


@pytest.mark.long
def test_the_page_is_drawn_in_light_and_in_dark_and_nothing_in_it_is_refused(page: Path, tmp_path: Path) -> None:
    light, dark = (browse(page, tmp_path, scheme) for scheme in ("light", "dark"))
    assert min(light.corner) > 200
    assert max(dark.corner) < 80
    for shot in (light, dark):
        # An empty page of that size is a tenth of it.
        assert shot.size_bytes > 40_000
        assert shot.complaints == []
        assert "<svg" in shot.document
        assert not re.search(r"<title>taken over", shot.document)
