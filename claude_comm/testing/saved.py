"""Findings of `claude-comm fuzz` as a file of tests, which fail until the defects are gone.

Law: pure. A file that was written before keeps its tests: only messages that are not in it yet are added.
"""

from __future__ import annotations

import pprint
import re
from collections.abc import Sequence

from claude_comm.testing.trial import Finding

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


def written_tests(module: str, target: str, findings: Sequence[Finding], before: str = "") -> str:
    """The text of the file: what it held `before`, or a new head, and a test for each finding that is new."""
    text = before or _HEAD.format(module=module, target=target)
    for finding in findings:
        message = pprint.pformat(finding.message, width=100, sort_dicts=False)
        if f"assert_handles(module, {finding.type!r}, {message})" in text:
            continue
        text += _TEST.format(name=_name(finding, text), reason=_comment(finding), type=finding.type, message=message)
    return text


def file_name(module: str) -> str:
    return f"test_{_word(module)}_fuzz.py"


def _name(finding: Finding, text: str) -> str:
    cause = finding.reason.partition(":")[0] if finding.kind == "raised" else finding.kind
    base = name = f"{_word(finding.type)}_{_word(cause)}"
    number = 2
    while f"def test_{name}(" in text:
        name, number = f"{base}_{number}", number + 1
    return name


def _word(text: str) -> str:
    """A part of a name in Python: letters in small, words apart."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"\W+", "_", apart, flags=re.ASCII).strip("_").lower() or "finding"


def _comment(finding: Finding) -> str:
    """The reason on one line that nothing in it can end."""
    place = f" ({finding.place})" if finding.place else ""
    line = (finding.reason + place).encode("unicode_escape").decode()
    return line if len(line) <= _COMMENT_CHARACTERS else line[: _COMMENT_CHARACTERS - 3] + "..."
