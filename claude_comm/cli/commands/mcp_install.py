"""The command `mcp install`."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit, emit_json

SERVER = "claude-comm"


class ClientName(StrEnum):
    CLAUDE = "claude"
    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VSCODE = "vscode"
    CODEX = "codex"


def command(
    client: Annotated[ClientName | None, typer.Option("--client", help="Only for this client.")] = None,
    tools: Annotated[str, typer.Option("--tools", help="As for `claude-comm mcp`.")] = "search",
    as_json: AsJson = False,
) -> None:
    """Print the configuration with which common clients start `claude-comm mcp`.

    All paths are absolute. It changes no file: each part says into which file of the client it belongs.
    """
    entry = _entry(settings_of_process(), tools)
    shown = {name.value: _shown(name, entry) for name in ClientName if client in (None, name)}
    if as_json:
        emit_json(shown)
        return
    for name, (where, text) in shown.items():
        emit(f"# {name}: {where}\n{text}\n")


def _entry(settings: Settings, tools: str) -> dict[str, Any]:
    """How the server is started: this interpreter, and where this configuration leads."""
    environment = {"CLAUDE_COMM_HOME": str(settings.home.absolute()), "CLAUDE_COMM_NAMESPACE": settings.namespace}
    if settings.url:
        environment["CLAUDE_COMM_URL"] = settings.url
    arguments = ["-m", "claude_comm", "mcp", *(["--tools", tools] if tools != "search" else [])]
    return {"command": str(Path(sys.executable).absolute()), "args": arguments, "env": environment}


def _shown(client: ClientName, entry: dict[str, Any]) -> tuple[str, str]:
    """Where the configuration belongs, and its text."""
    if client is ClientName.CLAUDE_CODE:
        settings = " ".join(f"-e {name}={shlex.quote(value)}" for name, value in entry["env"].items())
        command = shlex.join([entry["command"], *entry["args"]])
        return "run this once", f"claude mcp add {SERVER} {settings} -- {command}"
    if client is ClientName.CODEX:
        lines = [f"[mcp_servers.{SERVER}]", f"command = {_json(entry['command'])}", f"args = {_json(entry['args'])}"]
        lines += [f"[mcp_servers.{SERVER}.env]", *(f"{name} = {_json(value)}" for name, value in entry["env"].items())]
        return "~/.codex/config.toml", "\n".join(lines)
    if client is ClientName.VSCODE:
        return ".vscode/mcp.json", _laid_out({"servers": {SERVER: {"type": "stdio", **entry}}})
    file = "claude_desktop_config.json" if client is ClientName.CLAUDE else "~/.cursor/mcp.json"
    return file, _laid_out({"mcpServers": {SERVER: entry}})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _laid_out(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
