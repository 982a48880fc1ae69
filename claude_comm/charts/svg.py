"""SVG elements as text.

Law: a text or an attribute is escaped here and nowhere else; numbers are written with two decimals at most, without
trailing zeros, so that a chart of some hundred points stays some kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.escaping import clean

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escape(text: object) -> str:
    """Text that stands for itself in an element or a quoted attribute, control characters as visible escapes."""
    return clean(text).translate(_ENTITIES)


def number(value: float) -> str:
    """A coordinate: at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))


def element(name: str, *children: str, **attributes: object) -> str:
    """One element; an underscore in an attribute's name is a hyphen, one at its end is dropped (`class_`)."""
    written = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: object, x: float, y: float, **attributes: object) -> str:
    return element("text", escape(content), x=x, y=y, **attributes)


def title(content: object) -> str:
    """What the pointer and a screen reader are told of the element around it."""
    return element("title", escape(content))


def path(commands: Iterable[tuple[str, *tuple[float, ...]]]) -> str:
    """The `d` of a path: `[("M", 0, 0), ("L", 5, 2.5)]` is `M0 0L5 2.5`."""
    return "".join(f"{command}{' '.join(map(number, values))}" for command, *values in commands)


def points(pairs: Iterable[tuple[float, float]]) -> str:
    """The `points` of a polyline or polygon."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in pairs)


def figure(
    *children: str, width: float, height: float, label: str, kind: str, role: str = "img", **attributes: object
) -> str:
    """The chart itself, named by `label`: it scales with its page. An `img` is one image to a screen reader; what has
    links in it is a `group`."""
    return element(
        "svg",
        title(label),
        *children,
        class_=f"chart {kind}",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role=role,
        aria_label=label,
        **attributes,
    )


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: object) -> str:
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else escape(value)
