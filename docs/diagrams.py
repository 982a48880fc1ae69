"""The diagrams of the pages as SVG: `python docs/generate.py` writes them into `docs/diagrams`.

Law: a picture has a ground of its own, so that it can be read on any page; it is light or dark as the reader's
system is. It loads nothing, and says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from claude_comm.charts.svg import element, path, text, title

Kind: TypeAlias = Literal["process", "store", "good", "bad", "doubt", "plain"]

# Colours by role, light and dark: the ground, lines, words, then what each kind of box is filled with.
_STYLE = """
.ground{fill:#fbfbfd;stroke:#d9dce3}.line{fill:none;stroke:#667085;stroke-width:1.5}.tip{fill:#667085}
.word{fill:#1d2330;font:14px system-ui,sans-serif}.small{font-size:12px;fill:#4a5264}.strong{font-weight:600}
.box{stroke-width:1.5}.process{fill:#e5edff;stroke:#3c63c8}.store{fill:#f0ebff;stroke:#7350c4}
.good{fill:#e2f5e8;stroke:#23794a}.bad{fill:#fde7e5;stroke:#b3372c}.doubt{fill:#fdf2d8;stroke:#97680b}
.plain{fill:#eef0f4;stroke:#8a91a1}
@media (prefers-color-scheme:dark){
.ground{fill:#171a21;stroke:#343a47}.line{stroke:#98a1b3}.tip{fill:#98a1b3}.word{fill:#e8ebf2}.small{fill:#b4bccb}
.process{fill:#1e2c52;stroke:#7f9df0}.store{fill:#2b2150;stroke:#a98cf0}.good{fill:#16351f;stroke:#5fbe85}
.bad{fill:#45201c;stroke:#e98478}.doubt{fill:#3d2f0f;stroke:#d8a944}.plain{fill:#262b36;stroke:#7b8496}}
"""


class Box(NamedTuple):
    """A box by its middle: what stands in it, the first line strong."""

    x: float
    y: float
    lines: Sequence[str]
    kind: Kind = "process"
    width: float = 150
    height: float = 56


def _drawn(box: Box) -> str:
    corner = 28 if box.kind == "store" else 8
    frame = element(
        "rect", x=box.x - box.width / 2, y=box.y - box.height / 2, width=box.width, height=box.height, rx=corner,
        class_=f"box {box.kind}",
    )  # fmt: skip
    first = box.y + 5 - 9 * (len(box.lines) - 1)
    words = [
        text(line, box.x, first + 18 * place, class_="word strong" if not place else "word small", text_anchor="middle")
        for place, line in enumerate(box.lines)
    ]
    return frame + "".join(words)


def _arrow(*corners: tuple[float, float], word: str = "", at: tuple[float, float] | None = None) -> str:
    """A line through these corners with a tip at its end, and a word beside it."""
    (x0, y0), (x1, y1) = corners[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    back = (x1 - 9 * dx, y1 - 9 * dy)
    (start, *rest) = [*corners[:-1], back]
    line = element("path", d=path([("M", *start), *(("L", *corner) for corner in rest)]), class_="line")
    left, right = (back[0] - 5 * dy, back[1] + 5 * dx), (back[0] + 5 * dy, back[1] - 5 * dx)
    tip = element("path", d=path([("M", x1, y1), ("L", *left), ("L", *right), ("Z",)]), class_="tip")
    place = at or ((x0 + x1) / 2, (y0 + y1) / 2 - 7)
    return line + tip + (text(word, *place, class_="word small", text_anchor="middle") if word else "")


def _picture(width: int, height: int, label: str, *parts: str) -> str:
    ground = element("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10, class_="ground")
    whole = element(
        "svg", title(label), element("style", _STYLE), ground, *parts,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width, role="img",
    )  # fmt: skip
    return whole + "\n"


def message() -> str:
    """From a publisher to the rows of the projection, and the ways of what fails."""
    return _picture(
        860, 330,
        "A publisher sends under an agreement into the inbox of a module. The handler's outcome is an event, which the "
        "projection stores. What fails waits and comes back, or is buried and can be redriven.",
        _arrow((175, 70), (275, 70)),
        _arrow((425, 70), (525, 70), word="read"),
        _arrow((675, 70), (760, 70), (760, 122), word="acked", at=(720, 62)),
        _arrow((760, 178), (760, 232)),
        _arrow((575, 98), (575, 180), (475, 180), word="raised: retried", at=(530, 172)),
        _arrow((350, 152), (350, 98), word="when due", at=(315, 130)),
        _arrow((625, 98), (625, 270), (475, 270), word="given up: buried", at=(560, 262)),
        _arrow((325, 270), (225, 270), (225, 84), (275, 84), word="redriven", at=(275, 262)),
        _drawn(Box(100, 70, ["publisher", "checks the agreement"])),
        _drawn(Box(350, 70, ["inbox", "a stream"], "store")),
        _drawn(Box(600, 70, ["module", "validates, handles"])),
        _drawn(Box(400, 180, ["later", "by due time"], "store")),
        _drawn(Box(400, 270, ["dead", "with the reason"], "bad")),
        _drawn(Box(760, 150, ["events", "a stream"], "store")),
        _drawn(Box(760, 260, ["projection", "SQLite"], "good")),
    )  # fmt: skip


def negotiation() -> str:
    """From two contracts to an agreement, or to a refusal."""
    return _picture(
        860, 300,
        "Two contracts are checked. A proof or a proved adapter makes an agreement, under which messages are sent. A "
        "witness makes a refusal, and no proof and no witness makes the answer undecided; both stop the sending.",
        _arrow((175, 80), (240, 135)),
        _arrow((175, 220), (240, 165)),
        _arrow((380, 135), (475, 55), word="proved", at=(415, 84)),
        _arrow((380, 145), (475, 120)),
        _arrow((380, 158), (475, 186)),
        _arrow((380, 168), (475, 252)),
        _arrow((645, 50), (700, 78)),
        _arrow((645, 116), (700, 98)),
        _arrow((645, 186), (700, 208)),
        _arrow((645, 252), (700, 230)),
        _drawn(Box(100, 80, ["producer", "what it sends"])),
        _drawn(Box(100, 220, ["consumer", "what it accepts"])),
        _drawn(Box(310, 150, ["check", "is every message", "of the one accepted?"], "plain", 140, 76)),
        _drawn(Box(560, 50, ["compatible"], "good", 170, 44)),
        _drawn(Box(560, 116, ["adapter", "proved, no guess"], "good", 170, 50)),
        _drawn(Box(560, 186, ["incompatible", "with a witness"], "bad", 170, 50)),
        _drawn(Box(560, 252, ["undecided", "with the reason"], "doubt", 170, 50)),
        _drawn(Box(770, 88, ["agreement", "stamped, enforced"], "good", 140)),
        _drawn(Box(770, 219, ["refusal", "nothing is sent"], "bad", 140)),
    )  # fmt: skip


def delivery() -> str:
    """The states of one delivery."""
    return _picture(
        860, 275,
        "A waiting entry is read and is pending under a lease. It ends acked, retried or buried. When the lease ends "
        "because the process died, another instance claims it.",
        _arrow((165, 125), (275, 125), word="read", at=(220, 117)),
        _arrow((425, 115), (575, 50), word="handler returned", at=(480, 68)),
        _arrow((425, 125), (575, 125), word="handler raised", at=(500, 117)),
        _arrow((425, 137), (575, 200), word="last attempt, or unreadable", at=(455, 195)),
        _arrow((725, 125), (790, 125), (790, 250), (90, 250), (90, 153), word="when due", at=(300, 243)),
        _arrow((320, 97), (320, 45), (380, 45), (380, 97), word="lease ended: claimed by another", at=(350, 36)),
        _drawn(Box(90, 125, ["waiting", "in the inbox"], "store")),
        _drawn(Box(350, 125, ["pending", "under a lease"])),
        _drawn(Box(650, 50, ["acked"], "good", height=44)),
        _drawn(Box(650, 125, ["retried", "after a wait"], "doubt")),
        _drawn(Box(650, 200, ["buried", "with the reason"], "bad")),
    )  # fmt: skip


def system() -> str:
    """The processes of a system, and what each of them keeps."""
    return _picture(
        860, 330,
        "Modules and workers connect to one server, or to a cluster. The negotiation worker checks contracts, the "
        "janitor trims streams, the progress worker writes the projection, and the gateway serves HTTP and browsers.",
        *(_arrow((x, 93), (430 + (x - 430) * 0.32, 132)) for x in (140, 330, 530, 720)),
        *(_arrow((430 + (x - 430) * 0.32, 188), (x, 227)) for x in (120, 330, 530, 740)),
        _arrow((205, 255), (245, 255)),
        _drawn(Box(140, 65, ["module", "your code"])),
        _drawn(Box(330, 65, ["module", "two instances"])),
        _drawn(Box(530, 65, ["publisher", "a web application"])),
        _drawn(Box(720, 65, ["gateway", "HTTP, browser, agents"], width=170)),
        _drawn(Box(430, 160, ["server", "streams, registry, agreements"], "store", 330)),
        _drawn(Box(120, 255, ["progress", "follows all streams"], width=170)),
        _drawn(Box(320, 255, ["projection", "SQLite"], "good")),
        _drawn(Box(530, 255, ["negotiation", "proves pairs"])),
        _drawn(Box(740, 255, ["janitor", "trims, delivers, reclaims"], width=190)),
        text("Workers are optional: without them the calling process does the same work.", 430, 312,
             class_="word small", text_anchor="middle"),
    )  # fmt: skip


def pictures() -> dict[str, str]:
    """Each diagram by its name."""
    return {drawn.__name__: drawn() for drawn in (message, negotiation, delivery, system)}
