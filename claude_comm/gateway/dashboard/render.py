"""Pages as HTML: the templates, and how values are written in them.

Law: every value that a template writes goes through `clean`, which shows control characters and marks of direction as
escapes, and then through the escaping of the template engine. Only what our own chart functions made is markup.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from claude_comm.charts import axes, style
from claude_comm.escaping import clean, clean_lines
from claude_comm.gateway.dashboard.pages import MIN_EVERY_MS, NAVIGATION, Page
from claude_comm.gateway.dashboard.query import RANGES, PageAddress, link
from claude_comm.graph import picture
from claude_comm.store.timestamps import iso_micros
from claude_comm.version import __version__

_FOLDER = Path(__file__).parent / "templates"


class Visitor(msgspec.Struct, frozen=True):
    """Who looks at a page: the name, whether they may act, and what their forms carry."""

    name: str
    may_act: bool
    csrf: str = ""


def page(page: Page, query: PageAddress, view: msgspec.Struct, visitor: Visitor, *, namespace: str, now_us: int) -> str:
    """The whole document of a page."""
    title = page.title
    for name in ("module", "reference", "name"):
        if f"{{{name}}}" in title:
            title = title.replace(f"{{{name}}}", query.part(name))
    # A page further on in a list, and one that a search made, stands still.
    still = query.has("after", "where", "text", "before")
    return _render(
        page.template,
        view=view,
        query=query,
        visitor=visitor,
        title=title,
        section=page.section,
        every_ms=0 if still else max(page.every_ms, MIN_EVERY_MS) if page.every_ms else 0,
        namespace=namespace,
        now_us=now_us,
    )


def refusal(title: str, text: str, visitor: Visitor, *, namespace: str) -> str:
    """The page that says why there is none."""
    return _render(
        "refusal",
        title=title,
        text=text,
        visitor=visitor,
        section="",
        every_ms=0,
        namespace=namespace,
        now_us=0,
    )


def charts_css() -> str:
    """The colours of both grounds, and the look of charts and maps: the same as in reports."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{style.VARIABLES_DARK}}}}}"
    return f":root{{color-scheme:light dark;{style.VARIABLES_LIGHT}}}{dark}{style.CSS}{picture.CSS}"


def _render(template: str, **values: Any) -> str:
    return _ENVIRONMENT.get_template(f"{template}.html").render(values)


def _finalize(value: Any) -> Any:
    """What an expression writes: nothing for None, markup as it is, any text on one line without what could mislead."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) else clean(value)


def _lines(text: str) -> Markup:
    """A text of several lines, which stay lines."""
    return escape(clean_lines(text))


def _json(value: Any) -> Markup:
    """A value as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode(errors="replace")
    return _lines(text)


def _day(time_us: int | float) -> str:
    return axes.moment(time_us).strftime("%Y-%m-%d")


def _clock(time_us: int | float) -> str:
    return axes.moment(time_us).strftime("%H:%M:%S")


def _exact(time_us: int | float) -> str:
    return axes.moment(time_us).isoformat(timespec="milliseconds")


def _ago(time_us: int | float, now_us: int | float) -> str:
    """How long ago, in whole units: 4 min, not 4.73."""
    passed_s = (now_us - time_us) / 1_000_000
    if abs(passed_s) < 1:
        return "now"
    if passed_s < 0:
        return "ahead"
    _, unit_s, unit = next(age for age in _AGES if passed_s >= age[0])
    return f"{passed_s / unit_s:.0f} {unit} ago"


# From twice a unit on, an age is written in it: 90 s, 2 min.
_AGES = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _rate(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _took(value_ms: float | None) -> str:
    return "–" if value_ms is None else axes.duration_label(value_ms)


def _plural(count: int, word: str, several: str = "") -> str:
    return f"{count:,} {word if count == 1 else several or f'{word}s'}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": _ago,
        "count": axes.count_label,
        "exact": _exact,
        "json": _json,
        "lines": _lines,
        "clock": _clock,
        "day": _day,
        "number": lambda value: f"{value:,}",
        "plural": _plural,
        "rate": _rate,
        "size": _size,
        "svg": Markup,
        "took": _took,
        "us": iso_micros,
    }
    environment.globals |= {"link": link, "navigation": NAVIGATION, "ranges": list(RANGES), "version": __version__}
    return environment


_ENVIRONMENT = _environment()
