"""Text that may have come from anywhere, made safe to show.

Law: nothing that came from a message, a file or a server reaches a terminal with a character that could steer it; such
a character is shown as an escape.
"""

from __future__ import annotations

import re

# Control characters (C0, DEL, C1), the bidirectional marks and overrides that make text read as what it is not,
# invisible joiners, tags, line separators, and surrogates, which no encoding can write.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def clean(text: object) -> str:
    """The text on one line, with every character that could steer a terminal as a visible escape."""
    return UNSAFE.sub(_escape, str(text))


def clean_lines(text: str) -> str:
    """The same for text of several lines, which stay lines; tabs are laid out as spaces."""
    return "\n".join(map(clean, text.expandtabs(4).splitlines()))


def json_escape(match: re.Match[str]) -> str:
    """One character as JSON escapes it."""
    number = ord(match[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or (f"\\x{ord(character):02x}" if ord(character) < 0x100 else json_escape(match))
