"""Every command by name, and the group that imports a command's file only when it is called.

Law: this file imports nothing of the package, so `claude-comm --help` costs the import of typer and no more. The
one-line help stands here a second time; a test holds it to the first line of the command's docstring.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import typer
from typer.main import get_command

from claude_comm.cli.quick import QuickCommand, QuickGroup


class Entry(NamedTuple):
    """One command: where its function is, and its one line of help."""

    name: str
    module: str
    function: str
    help: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Messages": (
        Entry("list", "messages", "list_", "List messages, the newest first."),
        Entry("show", "messages", "show", "Show one message whole, and what became of it."),
        Entry("progress", "messages", "progress", "Show how far the modules' tasks are."),
        Entry("send", "sending", "send", "Send one message and print its id."),
    ),
    "Schemas": (
        Entry("modules", "registry", "modules", "List the registered modules and what they declare."),
        Entry("agreements", "registry", "agreements", "List what modules have agreed on, and what was refused."),
        Entry("negotiate-schema", "negotiating", "negotiate_schema", "Negotiate what two modules send each other."),
        Entry("check", "schemas", "check", "Say whether every message that A allows is accepted by B."),
        Entry(
            "validate-pipeline", "pipelines", "validate_pipeline", "Check a pipeline: its form, its schemas, every hop."
        ),
        Entry(
            "verify-compatibility", "pipelines", "verify_compatibility", "Give the verdict on each hop of a pipeline."
        ),
    ),
    "Sessions": (
        Entry("monitor-session", "sessions", "monitor_session", "Watch a session for some seconds."),
        Entry(
            "communication-status",
            "sessions",
            "communication_status",
            "Show what pairs of modules have sent each other.",
        ),
    ),
    "Running": (
        Entry("up", "running", "up", "Start the private server and the workers."),
        Entry("down", "running", "down", "Stop the workers, then the private server."),
        Entry("status", "status", "status", "Show what runs: server, workers, streams."),
        Entry("run", "running", "run", "Run a module of yours until SIGTERM or SIGINT."),
        Entry("worker", "running", "worker", "Run one worker in this process, until SIGTERM or SIGINT."),
    ),
    "About": (
        Entry("demo", "demo", "demo", "Watch three modules negotiate, talk and build a search index."),
        Entry("bench", "bench", "bench", "Measure publishing, consuming and latency on your server."),
        Entry("version", "about", "version", "Print the versions of claude-comm and of what it stands on."),
    ),
}

ENTRIES: dict[str, Entry] = {entry.name: entry for entries in SECTIONS.values() for entry in entries}

HELP = """Modules that talk over Redis streams, and prove that they can before they do.

Nothing needs to be set up: the first command that needs a server starts a private one. Every command that shows
something takes --json. Exit codes: 0 yes, 1 no, 2 usage, 3 not found, 4 undecided, 5 server unreachable.
"""


class Commands(QuickGroup):
    """Knows each command by name and one line of help; the rest is imported when the command is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for section, entries in SECTIONS.items():
            for entry in entries:
                self.add_command(QuickCommand(entry.name, help=entry.help, rich_help_panel=section))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, known, rest = super().resolve_command(ctx, args)
        return name, known and load(ENTRIES[args[0]]), rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section, entries in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])


def load(entry: Entry) -> QuickCommand:
    """The real command, its file imported."""
    function = getattr(importlib.import_module(f"claude_comm.cli.{entry.module}"), entry.function)
    app = typer.Typer(add_completion=False, rich_markup_mode=_markup())
    app.command(entry.name, cls=QuickCommand)(function)
    command = get_command(app)
    assert isinstance(command, QuickCommand)
    return command


def group() -> Commands:
    """The whole command line."""
    app = typer.Typer(
        cls=Commands,
        name="claude-comm",
        help=HELP,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=_markup(),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    command = get_command(app)
    assert isinstance(command, Commands)
    return command


def _root() -> None:
    pass


def _markup() -> Any:
    # Rich costs 50 ms, and its boxes serve nobody in a pipe.
    return "rich" if sys.stdout.isatty() and sys.stderr.isatty() else None
