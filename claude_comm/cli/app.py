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

from claude_comm.cli.fast_arguments import FastCommand, FastGroup


class CommandEntry(NamedTuple):
    """One command, and its one line of help. It is the function `command` in the file of its own name."""

    name: str
    help: str

    @property
    def module(self) -> str:
        return "claude_comm.cli.commands." + self.name.replace(" ", "_").replace("-", "_")


SECTIONS: dict[str, tuple[CommandEntry, ...]] = {
    "Messages": (
        CommandEntry("list", "List messages, the newest first."),
        CommandEntry("show", "Show one whole message and the outcome of its deliveries."),
        CommandEntry("watch", "Watch messages and the outcome of their deliveries live."),
        CommandEntry("progress", "Show the progress that modules have reported, by task."),
        CommandEntry("send", "Send one message and print its id."),
        CommandEntry("request", "Send one message, wait for its reply and print it as JSON."),
    ),
    "Schemas": (
        CommandEntry("modules", "List the registered modules and what they declare."),
        CommandEntry("find", "Find modules by what they accept, produce or can do, by proof."),
        CommandEntry("module show", "Show what a partner needs to know to write to a module."),
        CommandEntry("module register", "Register a contract from a file, or from a Module object of yours."),
        CommandEntry("module import", "Read OpenAPI, AsyncAPI or a list of MCP tools as a contract."),
        CommandEntry("module scaffold", "Write typed handlers for a contract, and prove that they keep it."),
        CommandEntry("module retire", "Retire a version of a module's contract, or all."),
        CommandEntry("contract approve", "Approve a pending version of a contract, for a partner that it breaks."),
        CommandEntry("module check", "Say whether a module of yours decodes what its contract accepts."),
        CommandEntry("fuzz", "Call a module's handlers with messages from its own contract, and report what fails."),
        CommandEntry("export asyncapi", "Write the registered modules as an AsyncAPI 3.1.0 document."),
        CommandEntry("export schemas", "Write the schemas of the registered contracts as one JSON Schema document."),
        CommandEntry("export agent-card", "Write a module as an A2A 1.0 agent card."),
        CommandEntry("export cloudevents", "Write messages as a batch of CloudEvents in JSON."),
        CommandEntry("agreements", "List the agreements and refusals that negotiations have stored."),
        CommandEntry("negotiate", "Negotiate what one registered module sends to another."),
        CommandEntry("impact", "Say what would break if a module registered a new contract."),
        CommandEntry("graph", "Show which modules send what to whom, and whether it is proved to fit."),
        CommandEntry("negotiate-schema", "Negotiate what two modules send each other."),
        CommandEntry("check", "Say whether every message that A allows is accepted by B."),
        CommandEntry("schema explain", "Give the verdict on two schemas in full, for a person."),
        CommandEntry("schema infer", "Write the schema that sample messages suggest."),
        CommandEntry("schema diff", "Show what changed between two versions of a schema, and for whom."),
        CommandEntry("schema adapt", "Propose steps that make the messages of one schema fit another."),
        CommandEntry("validate-pipeline", "Check a pipeline whole: its form, its graph, every hop."),
        CommandEntry("verify-compatibility", "Give the verdict on each hop of a pipeline."),
    ),
    "Buried messages": (
        CommandEntry("dead list", "List the buried messages, grouped by reason and place."),
        CommandEntry("dead show", "Show one whole buried message and the reason why it was buried."),
        CommandEntry("dead check", "Count the buried messages that the module's contract would accept now."),
        CommandEntry("dead redrive", "Put buried messages back into the inbox of their module."),
        CommandEntry("dead purge", "Delete buried messages for good."),
    ),
    "Sessions": (
        CommandEntry("sessions", "List sessions, the latest active first."),
        CommandEntry("session show", "Show one session: its hops, its tasks, and its messages in order."),
        CommandEntry("trace", "Show everything that one message caused, as a tree with times."),
        CommandEntry("run-pipeline", "Send inputs through a pipeline, and collect the results."),
        CommandEntry("record", "Write recorded deliveries as lines of JSON, for tests and for `replay`."),
        CommandEntry("replay", "Hand recorded deliveries to another version of a module, and report what changes."),
        CommandEntry("conversation", "Show the messages that one message led to, as a thread."),
        CommandEntry("monitor-session", "Watch a session for some seconds."),
        CommandEntry("communication-status", "Show the traffic between pairs of modules."),
        CommandEntry(
            "report", "Report throughput, latency, flows, failures, tasks and negotiations of a session or a period."
        ),
    ),
    "Projection": (
        CommandEntry("sql", "Query the projection in SQL, read-only."),
        CommandEntry("projection verify", "Check that the projection has everything in the streams, once."),
        CommandEntry("projection rebuild", "Read all streams again, and add what is missing."),
        CommandEntry("projection prune", "Remove old messages now, and keep the totals."),
        CommandEntry("projection backup", "Copy the projection into a file, while it is in use."),
        CommandEntry("projection export", "Write a table as CSV, JSON lines or Parquet."),
    ),
    "Trust": (
        CommandEntry("keys", "List the keys that may sign in this namespace."),
        CommandEntry("module add", "Make a key and a token for a module, and let it sign."),
        CommandEntry("audit", "Check the signature of every entry: who sent it, and that nobody changed it."),
        CommandEntry("acl", "Print or set the narrowest access rules that let a module or a worker work."),
        CommandEntry(
            "acl-file", "Write an ACL file for a server, and the address with a password for each of its users."
        ),
        CommandEntry("module revoke", "Revoke a key: what it signs from now on is not valid."),
    ),
    "Large payloads": (
        CommandEntry("blobs list", "Say how many chunks of large payloads the store has, and how much they take."),
        CommandEntry("blobs verify", "Read every chunk of large payloads, and name those that were changed."),
        CommandEntry("blobs collect", "Remove chunks of large payloads that no message names any more, after a day."),
        CommandEntry(
            "blobs prune",
            "Remove chunks of large payloads that were stored long ago, after a day.",
        ),
    ),
    "Running": (
        CommandEntry("up", "Start the private server and the workers."),
        CommandEntry("down", "Stop the workers, then the private server."),
        CommandEntry("top", "Watch the modules live: rates, backlogs, failures, and the slowest hops."),
        CommandEntry("status", "Show what runs: server, workers, streams."),
        CommandEntry("metrics", "Write the metrics of all modules in the format of Prometheus."),
        CommandEntry("trim", "Trim the streams now, as the janitor does, and say what holds the rest."),
        CommandEntry("unsubscribe", "Remove a module's subscription to a topic."),
        CommandEntry("forget", "Remove everything that the server keeps of a module or a topic."),
        CommandEntry("run", "Run a module of yours until SIGTERM or SIGINT."),
        CommandEntry("gateway", "Serve modules in any language and browsers: HTTP, WebSocket and the dashboard."),
        CommandEntry("worker", "Run one worker in this process, until SIGTERM or SIGINT."),
    ),
    "Agents": (
        CommandEntry("mcp", "Serve the registered modules as tools to AI agents, by the Model Context Protocol."),
        CommandEntry(
            "mcp install",
            "Print the configuration with which common clients start `claude-comm mcp`.",
        ),
        CommandEntry(
            "mcp adopt",
            "Run the tools of another MCP server as a module, until SIGTERM or SIGINT.",
        ),
    ),
    "About": (
        CommandEntry("demo", "Watch three modules negotiate, talk and build a search index."),
        CommandEntry("bench", "Measure publishing, consuming and latency on your server."),
        CommandEntry(
            "version", "Print the versions of claude-comm, of its main dependencies and of the server that it starts."
        ),
    ),
}

# The first word of those commands that have two.
GROUPS = {
    "session": "Show single sessions.",
    "projection": "Verify, rebuild, prune, back up and export the projection.",
    "module": "Show, register, import, scaffold, check and retire the contracts of modules; add and revoke their keys.",
    "export": "Write what is registered in the formats of AsyncAPI, JSON Schema, A2A and CloudEvents.",
    "blobs": "List, verify and prune the chunks of large payloads.",
    "contract": "Approve pending versions of contracts.",
    "dead": "List, show, check, redrive and purge buried messages.",
    "schema": "Explain, infer, compare and adapt schemas.",
}

ENTRIES: dict[str, CommandEntry] = {entry.name: entry for entries in SECTIONS.values() for entry in entries}

HELP = """Modules that talk over Redis streams, and prove that they can before they do.

Nothing needs to be set up: the first command that needs a server starts a private one. Every command that shows \
something takes --json. Exit codes: 0 yes, 1 no, 2 usage, 3 not found, 4 undecided, 5 server unreachable.
"""


class Commands(FastGroup):
    """Holds the name and the one line of help of each command; the command's file is imported when it is called.

    `prefix` is how the names of this group's commands begin: `schema ` for the group `schema`.
    """

    def __init__(self, *, prefix: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self.prefix = prefix
        for section, entry in self._own():
            first, *more = self._short(entry).split()
            if not more:
                self.add_command(FastCommand(first, help=entry.help, rich_help_panel=section))
            elif first not in self.commands:
                self.add_command(_group_of(first, section))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, known, rest = super().resolve_command(ctx, args)
        # A command may have commands below it, as `mcp` has `mcp adopt`.
        below = ENTRIES.get(" ".join((self.prefix + args[0], *args[1:2])))
        if args[0] in ENTRIES and below is not None and below.name != args[0]:
            return below.name, load(below), args[2:]
        entry = ENTRIES.get(self.prefix + args[0])
        return name, load(entry) if known and entry else known, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in SECTIONS:
            if rows := [(self._short(entry), entry.help) for of, entry in self._own() if of == section]:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def _own(self) -> Iterator[tuple[str, CommandEntry]]:
        for section, entries in SECTIONS.items():
            yield from ((section, entry) for entry in entries if entry.name.startswith(self.prefix))

    def _short(self, entry: CommandEntry) -> str:
        return entry.name.removeprefix(self.prefix)


def load(entry: CommandEntry) -> FastCommand:
    """The real command, its file imported."""
    function = importlib.import_module(entry.module).command
    app = typer.Typer(add_completion=False, rich_markup_mode=_markup())
    app.command(entry.name.split()[-1], cls=FastCommand)(function)
    command = get_command(app)
    assert isinstance(command, FastCommand)
    return command


def group() -> Commands:
    """The whole command line."""
    app = typer.Typer(
        cls=Commands,
        name="claude-comm",
        help=HELP,
        add_completion=True,
        no_args_is_help=True,
        rich_markup_mode=_markup(),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    command = get_command(app)
    assert isinstance(command, Commands)
    return command


def _group_of(first: str, section: str) -> Commands:
    """The group of the commands of two words that begin with this one."""
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
