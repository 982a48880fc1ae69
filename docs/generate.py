"""Writes the references here from the code: `python docs/generate.py`. A test checks that they are fresh."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer

from claude_comm import names, settings
from claude_comm.cli.app import SECTIONS, CommandEntry, load
from claude_comm.telemetry.metrics import METRICS, Metric

FOLDER = Path(__file__).parent
DOORS = (
    "claude_comm",
    "claude_comm.schema",
    "claude_comm.progress",
    "claude_comm.progress.queries",
    "claude_comm.testing",
)

CLI_HEAD = """# Command line

`claude-comm`, also `python -m claude_comm`. This page is written by `python docs/generate.py`.

Data goes to stdout, words about the run to stderr. On a terminal data is a table; in a pipe it is aligned text, or
JSON with `--json` (an array for a list, else an object). Text from messages is shown with every character that could
steer a terminal as an escape.

| exit code | means |
| --- | --- |
| 0 | yes, or done |
| 1 | no, or failed |
| 2 | usage: an argument, a document or a setting that cannot be used |
| 3 | not found |
| 4 | undecided: it could not be told, which a gate treats as "no" |
| 5 | the server does not answer, or refused |
| 130 | interrupted |
"""

API_HEAD = """# Python interface

What can be imported from the front doors is public; everything else may change with any release. This page is
written by `python docs/generate.py` from the docstrings.

Every error is a `ClaudeCommError`; `claude_comm.errors` draws the whole tree, and each error says what to do next.
"""


KEYS_HEAD = """# Keys on the server

Each key that claude-comm leaves on the server. `python docs/generate.py` writes this page from `claude_comm/names.py`;
a test compares it with what a run leaves. `ns` is the namespace (`CLAUDE_COMM_NAMESPACE`), and words
in capitals stand for names. Nothing grows for ever: each key has a time to live (TTL), or what bounds it is said here.
*Until forgotten* is until `claude-comm forget NAME`; `claude-comm status` lists names without a module, modules without
a running instance, and what was dropped.

Anybody who reaches the server can write anything there. A value that cannot be read is skipped and stops nothing;
`claude-comm status` has a line `unreadable` for each kind of key with such a value: which key, why, and a command that
removes it, to be typed into `valkey-cli` or `redis-cli`, connected to the address that `status` shows.
`claude-comm status --json` has a command for each value found. It looks at no more than 200 keys of a kind and some 500
of their values: remove what it found, and ask again.
"""

METRICS_HEAD = """# Metrics

Every metric with its unit and meaning. `python docs/generate.py` writes this page from
`claude_comm/telemetry/metrics.py`; a test compares it with what is exported.

Labels have few values (modules, destinations, operations), never a session or an id. In Prometheus, a name has `_` in
place of `.`, its unit at the end, and `_total` if it is a counter. `deploy/prometheus/rules.yml` has alerts on these
metrics, and `deploy/grafana/claude-comm.json` has a dashboard. [Tracing](tracing.md#metrics) says how to switch metrics
on.
"""
SCOPES = {
    "namespace": """## Of a whole namespace

These come from the server, the registry and the projection, and cover all modules on all machines. So scrape one place
only. `claude-comm metrics` prints them, and the gateway serves them at `/metrics`.
""",
    "process": """## Of each process

Each client records these for its own messages: through OpenTelemetry if the program has set a `MeterProvider`, and
for Prometheus with `CLAUDE_COMM_METRICS=prometheus`.
""",
}


SETTINGS_HEAD = """# Settings

The environment comes first, then `claude-comm.toml` in the working folder (a line `keep_s = 60` there is
`CLAUDE_COMM_KEEP_S=60`), then the default. `CLAUDE_COMM_URL_FILE` and `CLAUDE_COMM_CONTROL_URL_FILE` name files that
hold the value: for addresses with a password, such as secrets of containers. A setting that nothing reads is refused by
name. `python docs/generate.py` writes this page from `claude_comm/settings.py`.

| environment | file | default | |
| --- | --- | --- | --- |
"""


def pages() -> dict[Path, str]:
    """Every written page by its file."""
    written = {"cli": cli(), "api": api(), "keys": keys(), "metrics": metrics(), "settings": settings_()}
    pictures: dict[str, str] = runpy.run_path(str(FOLDER / "diagrams.py"))["pictures"]()
    return {
        **{FOLDER / f"{name}.md": page for name, page in written.items()},
        **{FOLDER / "diagrams" / f"{name}.svg": picture for name, picture in pictures.items()},
        FOLDER / "vectors.json": vectors("wire_vectors.py", "vectors"),
        FOLDER / "seals.json": vectors("seal_vectors.py", "seals"),
    }


def cli() -> str:
    parts = [CLI_HEAD]
    for section, entries in SECTIONS.items():
        parts.append(f"## {section}\n")
        parts.extend("\n".join(_command(entry)) for entry in entries)
    return "\n".join(parts)


def api() -> str:
    parts = [API_HEAD]
    for door in DOORS:
        module = importlib.import_module(door)
        parts.append(f"## `{door}`\n\n{(inspect.getdoc(module) or '').splitlines()[0]}\n")
        parts.extend("\n".join(_name(name, getattr(module, name))) for name in module.__all__ if name[0] != "_")
    return "\n".join(parts)


def keys() -> str:
    """The table of `claude_comm.names`, which is where keys are spelled."""
    table = [line for line in (names.__doc__ or "").splitlines() if line.startswith("|")]
    return "\n".join([KEYS_HEAD, *table, ""])


def metrics() -> str:
    """The table of `claude_comm.telemetry.metrics`, a part for each scope."""
    parts = [METRICS_HEAD]
    for scope, head in SCOPES.items():
        rows = [_metric(metric) for metric in METRICS if metric.scope == scope]
        parts.append(
            "\n".join(
                [
                    head,
                    "| metric | in Prometheus | kind, unit | labels | |",
                    "| --- | --- | --- | --- | --- |",
                    *rows,
                    "",
                ]
            )
        )
    return "\n".join(parts)


def _metric(metric: Metric) -> str:
    name = metric.series[0].removesuffix("_bucket")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | `{name}` | {metric.kind}, `{metric.unit}` | {labels} | {metric.meaning} |"


def settings_() -> str:
    """The table of `claude_comm.settings`, with the default of each."""
    rows = [line for line in (settings.__doc__ or "").splitlines() if line.startswith("| `")]
    fields = {field.name: field.default for field in msgspec.structs.fields(settings.Settings)}
    lines = []
    for row in rows:
        variable, name, meaning = (cell.strip() for cell in row.strip("|").split("|"))
        default = fields[name.strip("`")]
        shown = (
            "the platform's user data folder"
            if default is msgspec.NODEFAULT
            else f"`{default}`"
            if default != ""
            else ""
        )
        lines.append(f"| {variable} | {name} | {shown} | {meaning} |")
    return SETTINGS_HEAD + "\n".join(lines) + "\n"


def _command(entry: CommandEntry) -> Iterator[str]:
    command: Any = load(entry)
    context = command.context_class(command, info_name=f"claude-comm {entry.name}")
    usage = " ".join([f"claude-comm {entry.name}", *command.collect_usage_pieces(context)])
    yield f"### `{entry.name}`\n"
    yield f"```\n{usage}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    rows = [_row(param, context) for param in command.get_params(context) if "--help" not in param.opts]
    if rows:
        yield "| | |\n| --- | --- |"
        yield from rows
        yield ""


def _row(param: Any, context: typer.Context) -> str:
    name, told = param.get_help_record(context)
    return f"| `{name}` | {' '.join(told.split())} |"


def _name(name: str, value: Any) -> Iterator[str]:
    if inspect.isfunction(value):
        yield f"### `{name}({_arguments(value)})`\n"
        yield (inspect.getdoc(value) or "") + "\n"
    elif inspect.isclass(value):
        yield f"### `{name}`\n"
        yield (inspect.getdoc(value) or "") + "\n"
        members = list(_members(value))
        yield from members
        if members:
            yield ""
    elif inspect.ismodule(value):
        # Not as Python shows it: that says where the file is on this machine.
        yield f"### `{name}`\n"
        yield f"The module `{value.__name__}`. {(inspect.getdoc(value) or '').splitlines()[0]}\n"
    else:
        yield f"### `{name}`\n"
        yield f"`{str(value).replace('claude_comm.schema.verdict.', '')}`\n"


def _members(kind: type) -> Iterator[str]:
    """Fields, then methods, each on a line."""
    for field in getattr(kind, "__struct_fields__", ()):
        if not field.startswith("_"):
            yield f"- `.{field}`"
    if not hasattr(kind, "__struct_fields__") and "__init__" in vars(kind):
        yield f"- `{kind.__name__}({_arguments(kind.__init__)})`"
    for name, value in vars(kind).items():
        if name.startswith("_"):
            continue
        if inspect.isfunction(value):
            yield f"- `.{name}({_arguments(value)})`{_first(value)}"
        elif isinstance(value, property):
            yield f"- `.{name}`{_first(value)}"


def _first(value: Any) -> str:
    """The first paragraph of its docstring on one line, after a colon; nothing where its name says it."""
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return f": {text}" if text else ""


def _arguments(function: Any) -> str:
    """Its parameters as they are written, without `self`; the same text on every version of Python."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = node.args
    if arguments.args and arguments.args[0].arg == "self":
        arguments.args = arguments.args[1:]
    return ast.unparse(arguments)


def vectors(file: str, function: str) -> str:
    """What that function returns of a file that lies beside this one."""
    return str(runpy.run_path(str(FOLDER / file))[function]())


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
