"""The command `export schemas`."""

from __future__ import annotations

from claude_comm.cli import published
from claude_comm.cli.published import Output, SomeModule
from claude_comm.interchange.bundle import bundle
from claude_comm.runtime.environment import settings_of_process


def command(module: SomeModule = "", output: Output = None) -> None:
    """Write the schemas of the registered contracts as one JSON Schema document.

    Each schema is in $defs as MODULE/VERSION/accepts/TYPE, …/produces/TYPE or …/replies/TYPE. Unless it has an $id, it
    gets one that contains its digest.
    """
    settings = settings_of_process()
    releases, _ = published.read(settings, module)
    published.write(bundle(settings.namespace, [release.contract for release in releases]), output)
