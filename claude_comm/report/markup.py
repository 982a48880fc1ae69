"""HTML as text: elements, tables, and a page whose policy lets nothing run but its own script.

Law: every text goes through `escape`; there is no inline style and no event attribute, so that a policy by hashes is
enough. A page refers to nothing outside itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from claude_comm.charts.svg import escape

# What a cell's column is aligned by.
NUMBER = "n"


def tag(name: str, *children: str, class_: str = "", **attributes: str) -> str:
    """One element with markup in it; texts are escaped by the caller, attributes here."""
    given = {"class": class_, **attributes} if class_ else attributes
    written = "".join(f' {key.replace("_", "-")}="{escape(value)}"' for key, value in given.items())
    return f"<{name}{written}>{''.join(children)}</{name}>"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = (), caption: str) -> str:
    """A table whose columns in `numbers` are aligned to the right; `caption` is for screen readers."""
    classes = [NUMBER if index in numbers else "" for index in range(len(heads))]
    named = zip(heads, classes, strict=True)
    head = "".join(tag("th", escape(name), class_=class_, scope="col") for name, class_ in named)
    body = "".join(
        tag("tr", *(tag("td", escape(cell), class_=class_) for cell, class_ in zip(row, classes, strict=True)))
        for row in rows
    )
    whole = tag("table", tag("caption", escape(caption)), tag("thead", tag("tr", head)), tag("tbody", body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def folded(summary: str, *content: str) -> str:
    """Content that a reader opens."""
    return tag("details", tag("summary", escape(summary)), *content)


def page(title: str, body: str, *, style: str, script: str) -> str:
    """A whole document. Its policy names style and script by their digests: nothing else can run or be fetched."""
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}<script>{script}</script></body></html>\n'


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
