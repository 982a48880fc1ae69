"""The command `graph`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.errors import UnknownModule
from claude_comm.graph import written
from claude_comm.graph.edges import NOT_YET, ModuleMap, around
from claude_comm.names import Keys
from claude_comm.ops import graph as maps
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import OutputFailed, emit, emit_json, say
from claude_comm.transport.connect import connect


class GraphFormat(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"
    SVG = "svg"
    HTML = "html"


def command(
    module: Annotated[
        str,
        typer.Argument(
            metavar="[MODULE]",
            help="Only the neighbours of this module, or of topic:NAME.",
            autocompletion=completions.modules,
        ),
    ] = "",
    format: Annotated[
        GraphFormat,
        typer.Option("--format", "-f", help="Lines, a diagram as text, JSON, or a self-contained picture."),
    ] = GraphFormat.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    within_s: Annotated[
        float,
        typer.Option("--within", min=0, help="Prove flows that are not negotiated yet for at most so many seconds."),
    ] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Show which modules send what to whom, and whether it is proved to fit.

    Each flow is proved, adapted (proved, with an adapter), undecided or broken, by the agreements of the running
    versions. Flows that are declared but not negotiated yet are proved here, within the time of `--within`; the rest is
    undecided, until `claude-comm negotiate` decides it. Mermaid is for Markdown, DOT for Graphviz. SVG and HTML follow
    the light or dark setting of the viewer.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        keys = Keys(settings.namespace)
        known = client.run(maps.read(keys, now_ms=millis()))
        whole = known.graph
        if module and module not in {node.name for node in whole.nodes}:
            raise UnknownModule(module, [node.name for node in whole.nodes])
        if any(edge.why == NOT_YET for edge in whole.edges):
            # The engine takes longer to import than the rest of this command.
            from claude_comm.client.declared_edges import proved

            whole = proved(client, keys, known, within_s)
    shown = around(whole, module) if module else whole
    form = GraphFormat.JSON if as_json else format
    if output is not None:
        _write(output, _written(shown, form))
        say(f"wrote {output}: {shown.sentence}.")
    elif form is GraphFormat.JSON:
        emit_json(shown)
    elif form is GraphFormat.TEXT and not shown.nodes:
        say("no module has registered yet.")
    else:
        emit(_written(shown, form).rstrip("\n"))


def _written(graph: ModuleMap, form: GraphFormat) -> str:
    if form is GraphFormat.JSON:
        import msgspec

        return msgspec.json.format(msgspec.json.encode(graph), indent=2).decode() + "\n"
    return _writer(form)(graph)


def _writer(form: GraphFormat) -> Callable[[ModuleMap], str]:
    if form in (GraphFormat.SVG, GraphFormat.HTML):
        # What draws takes longer to import than the rest of this command.
        from claude_comm.graph import picture

        return picture.picture if form is GraphFormat.SVG else picture.html
    return {GraphFormat.TEXT: written.text, GraphFormat.MERMAID: written.mermaid, GraphFormat.DOT: written.dot}[form]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}.") from None
