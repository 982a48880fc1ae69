"""The look of all charts: one style sheet, whose colours are variables with a value for light and one for dark.

The eight series colours are those of Okabe and Ito, which people with the common colour blindnesses tell apart; yellow
and black are replaced, since they vanish on one of the two grounds.
"""

from __future__ import annotations

# Series beyond these repeat the colours; a chart names each series beside its line as well.
COLOURS = 8

VARIABLES_LIGHT = (
    "--ink:#1b1f24;--muted:#59636e;--line:#d1d9e0;--ground:#ffffff;--raised:#f6f8fa;--good:#1a7f37;--bad:#c4331b;"
    "--warn:#9a6700;--s0:#0072b2;--s1:#d55e00;--s2:#008f68;--s3:#b8578f;--s4:#7a6a00;--s5:#3c8fc4;--s6:#6b4fb3;--s7:#6b6b6b"
)
VARIABLES_DARK = (
    "--ink:#e6edf3;--muted:#9aa7b4;--line:#3d444d;--ground:#0d1117;--raised:#161b22;--good:#3fb950;--bad:#ff7b6b;"
    "--warn:#d6a531;--s0:#56b4e9;--s1:#f0883e;--s2:#2fbf95;--s3:#d98bbd;--s4:#c9b458;--s5:#8ccbf0;--s6:#a48fe0;--s7:#a0a0a0"
)

_SERIES = "".join(f".chart .s{index}{{color:var(--s{index})}}" for index in range(COLOURS))
CSS = (
    ".chart{display:block;width:100%;height:auto;font:11px system-ui,sans-serif;color:var(--ink)}"
    ".chart text{fill:currentColor}.chart .tick,.chart .unit{fill:var(--muted);font-size:10px}"
    ".chart .grid{stroke:var(--line);stroke-width:1}"
    ".chart .mark{fill:currentColor;stroke:none}.chart .area{fill:currentColor;fill-opacity:.75;stroke:none}"
    ".chart .curve{fill:none;stroke:currentColor;stroke-width:1.75;stroke-linejoin:round}"
    ".chart .link{fill:none;stroke:currentColor;stroke-opacity:.38}.chart .link:hover{stroke-opacity:.7}"
    ".chart .good{color:var(--good)}.chart .bad{color:var(--bad)}.chart .warn{color:var(--warn)}"
    f"{_SERIES}"
    "@media print{.chart{break-inside:avoid}}"
)


def series(index: int) -> str:
    """The class that gives a series its colour."""
    return f"s{index % COLOURS}"
