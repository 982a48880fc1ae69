"""What could steer a terminal is shown and not done."""

from __future__ import annotations

import json
import re

from claude_comm.escaping import clean, clean_lines, json_escape


def test_lines_stay_lines_and_what_is_in_them_is_escaped() -> None:
    assert clean_lines("a\tb\nc\x1b[2J\r\nd\x9b") == "a   b\nc\\x1b[2J\nd\\x9b"
    assert "\n" not in clean("a\nb")
    assert clean("\u202e") == "\\u202e"


def test_a_character_is_escaped_as_json_writes_it() -> None:
    for character in ("\x07", "\u2028", "\U000e0001", "\U0010ffff"):
        escaped = re.sub(".", json_escape, character, flags=re.DOTALL)
        assert escaped.isascii()
        assert json.loads(f'"{escaped}"') == character
