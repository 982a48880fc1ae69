"""Reading the dead streams: what the `dead` commands share.

A dead letter is called *buried* here: a delivery that its module gave up on, kept on the module's dead stream.

Law: they read the dead streams themselves, so that they show what can be redriven now, whatever a projection holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.delivery.burial import Burial, Where
from claude_comm.names import Keys, check_name
from claude_comm.ops import dead
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client

BuryingModule = Annotated[
    str, typer.Argument(metavar="MODULE", help="The module that buried them.", autocompletion=completions.modules)
]
Conditions = Annotated[
    list[str],
    typer.Option(
        "--where", "-w", metavar="NAME=TEXT", help="Only these: reason=PART, type=, path= or source=; may be repeated."
    ),
]


def walk(client: Client, settings: Settings, module: str, chosen: Where) -> Iterator[Burial]:
    """The chosen burials of one module, the oldest first, a page at a time."""
    keys = Keys(settings.namespace)
    place = client.run(dead.begin(keys, check_name(module)))
    while place.after:
        page, place = client.run(dead.page(keys, place, max_bytes=settings.max_envelope_bytes))
        yield from (burial for burial in page if chosen.matches(burial))


def walk_all(client: Client, settings: Settings, module: str) -> Iterator[Burial]:
    """All burials of one module, or of every module for an empty name."""
    for name in [module] if module else client.run(dead.modules(Keys(settings.namespace))):
        yield from walk(client, settings, name, Where())
