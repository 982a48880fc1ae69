"""The command `export asyncapi`."""

from __future__ import annotations

from claude_comm.cli import published
from claude_comm.cli.published import Output, SomeModule
from claude_comm.interchange import asyncapi
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process


def command(module: SomeModule = "", output: Output = None) -> None:
    """Write the registered modules as an AsyncAPI 3.1.0 document.

    Channels are inboxes and topics. Operations are what each live version accepts, replies and sends, with the schema
    in its own dialect. x- fields contain what AsyncAPI cannot express: streams, groups, digests, policies.
    """
    settings = settings_of_process()
    releases, url = published.read(settings, module)
    published.write(asyncapi.document(Keys(settings.namespace), releases, url=url), output)
