"""Every command by name, and the group that imports a command's file only when it is called.

Law: this file imports nothing of the package, so `claude-comm --help` costs the import of typer and no more. The
one-line help stands here a second time; a test holds it to the first line of the command's docstring.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer
from typer.main import get_command

from claude_comm.cli.fast_arguments import QuickCommand, QuickGroup


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
        Entry("send", "send", "send", "Send one message and print its id."),
        Entry("request", "request", "request", "Send one message, wait for its reply and print it as JSON."),
    ),
    "Schemas": (
        Entry("modules", "modules", "modules", "List the registered modules and what they declare."),
        Entry("agreements", "modules", "agreements", "List what modules have agreed on, and what was refused."),
        Entry(
            "negotiate-schema", "negotiate_schema", "negotiate_schema", "Negotiate what two modules send each other."
        ),
        Entry("check", "check", "check", "Say whether every message that A allows is accepted by B."),
        Entry("schema explain", "schema_explain", "explain", "Give the verdict on two schemas in full, for a person."),
        Entry("schema infer", "schema_infer", "infer", "Write the schema that sample messages suggest."),
        Entry(
            "schema diff", "schema_diff", "diff", "Show what changed between two versions of a schema, and for whom."
        ),
        Entry(
            "schema adapt", "schema_adapt", "adapt", "Propose steps that make the messages of one schema fit another."
        ),
        Entry(
            "validate-pipeline", "pipelines", "validate_pipeline", "Check a pipeline: its form, its schemas, every hop."
        ),
        Entry(
            "verify-compatibility", "pipelines", "verify_compatibility", "Give the verdict on each hop of a pipeline."
        ),
    ),
    "Buried messages": (
        Entry("dead list", "dead", "list_", "List what was buried, by reason and place."),
        Entry("dead show", "dead", "show", "Show one buried message whole, with why it was buried."),
        Entry("dead check", "dead", "check", "Say how many buried messages would be let in now."),
        Entry("dead redrive", "dead", "redrive", "Put buried messages back into the inbox of their module."),
        Entry("dead purge", "dead", "purge", "Delete buried messages for good."),
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
        Entry("trim", "trim", "trim", "Trim the streams now, as the janitor does, and say what holds the rest."),
        Entry("unsubscribe", "unsubscribe", "unsubscribe", "Take a module that will not come back off a topic."),
        Entry("run", "running", "run", "Run a module of yours until SIGTERM or SIGINT."),
        Entry("worker", "running", "worker", "Run one worker in this process, until SIGTERM or SIGINT."),
    ),
    "About": (
        Entry("demo", "demo", "demo", "Watch three modules negotiate, talk and build a search index."),
        Entry("bench", "bench", "bench", "Measure publishing, consuming and latency on your server."),
        Entry("version", "version", "version", "Print the versions of claude-comm and of what it stands on."),
    ),
}

# The first word of those commands that have two.
GROUPS = {
    "dead": "Buried messages: see them, judge them again, send them back, delete them.",
    "schema": "Explain, infer, compare and adapt schemas.",
}

ENTRIES: dict[str, Entry] = {entry.name: entry for entries in SECTIONS.values() for entry in entries}

HELP = """Modules that talk over Redis streams, and prove that they can before they do.

Nothing needs to be set up: the first command that needs a server starts a private one. Every command that shows
something takes --json. Exit codes: 0 yes, 1 no, 2 usage, 3 not found, 4 undecided, 5 server unreachable.
"""


class Commands(QuickGroup):
    """Knows each command by name and one line of help; the rest is imported when the command is called.

    `prefix` is what the names of its commands begin with and what is not typed again: `schema ` for that group.
    """

    def __init__(self, *, prefix: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self.prefix = prefix
        for section, entry in self._own():
            first, *more = self._short(entry).split()
            if not more:
                self.add_command(QuickCommand(first, help=entry.help, rich_help_panel=section))
            elif first not in self.commands:
                self.add_command(_words(first, section))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, known, rest = super().resolve_command(ctx, args)
        entry = ENTRIES.get(self.prefix + args[0])
        return name, load(entry) if known and entry else known, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in SECTIONS:
            if rows := [(self._short(entry), entry.help) for of, entry in self._own() if of == section]:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def _own(self) -> Iterator[tuple[str, Entry]]:
        for section, entries in SECTIONS.items():
            yield from ((section, entry) for entry in entries if entry.name.startswith(self.prefix))

    def _short(self, entry: Entry) -> str:
        return entry.name.removeprefix(self.prefix)


def load(entry: Entry) -> QuickCommand:
    """The real command, its file imported."""
    function = getattr(importlib.import_module(f"claude_comm.cli.commands.{entry.module}"), entry.function)
    app = typer.Typer(add_completion=False, rich_markup_mode=_markup())
    app.command(entry.name.split()[-1], cls=QuickCommand)(function)
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


def _words(first: str, section: str) -> Commands:
    """The commands of two words that begin with this one."""
    return Commands(
        prefix=f"{first} ",
        name=first,
        help=GROUPS[first],
        no_args_is_help=True,
        rich_help_panel=section,
        rich_markup_mode=_markup(),
    )


def _root() -> None:
    pass


def _markup() -> Any:
    # Rich costs 50 ms, and its boxes serve nobody in a pipe.
    return "rich" if sys.stdout.isatty() and sys.stderr.isatty() else None
