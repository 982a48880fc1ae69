"""Defects of `claude-comm fuzz` as a file of tests, which fail until the defects are gone.

Law: pure. A file that was written before keeps its tests: only messages that are not in it yet are added.
"""

from __future__ import annotations

import pprint
import re
from collections.abc import Sequence

from claude_comm.testing.trial import Defect

_HEAD = '''"""Messages that handlers of {module!r} failed with, found by `claude-comm fuzz`.

Each test passes when what it names is fixed.
"""

from claude_comm.testing import assert_handles, load_module

module = load_module("{target}")
'''
_TEST = """

def test_{name}() -> None:
    # {reason}
    assert_handles(module, {type!r}, {message})
"""
_COMMENT_CHARACTERS = 110


def written_tests(module: str, target: str, defects: Sequence[Defect], before: str = "") -> str:
    """The text of the file: what it held `before`, or a new head, and a test for each defect that is new."""
    text = before or _HEAD.format(module=module, target=target)
    for defect in defects:
        message = pprint.pformat(defect.message, width=100, sort_dicts=False)
        if f"assert_handles(module, {defect.type!r}, {message})" in text:
            continue
        text += _TEST.format(name=_name(defect, text), reason=_comment(defect), type=defect.type, message=message)
    return text


def file_name(module: str) -> str:
    return f"test_{_word(module)}_fuzz.py"


def _name(defect: Defect, text: str) -> str:
    cause = defect.reason.partition(":")[0] if defect.kind == "raised" else defect.kind
    base = name = f"{_word(defect.type)}_{_word(cause)}"
    number = 2
    while f"def test_{name}(" in text:
        name, number = f"{base}_{number}", number + 1
    return name


def _word(text: str) -> str:
    """A part of a name in Python: letters in small, words apart."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"\W+", "_", apart, flags=re.ASCII).strip("_").lower() or "defect"


def _comment(defect: Defect) -> str:
    """The reason on one line that nothing in it can end."""
    place = f" ({defect.place})" if defect.place else ""
    line = (defect.reason + place).encode("unicode_escape").decode()
    return line if len(line) <= _COMMENT_CHARACTERS else line[: _COMMENT_CHARACTERS - 3] + "..."
