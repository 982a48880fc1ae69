"""The command `gateway`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, say


def command(
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="At which port; 0: any free one.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Print an address that logs in a browser, once.")] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Let other machines reach it; refused while no token exists.")
    ] = False,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Answer without a token; only on the loopback interface.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            "--origin", metavar="ORIGIN", help="An origin whose pages may use it; may be given several times."
        ),
    ] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            metavar="HOLDER=SCOPE",
            help="Give the holder of a token a scope: admin, send:TARGET, read:TARGET; may be given several times.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve modules in any language and browsers: HTTP, WebSocket and the dashboard.

    It listens on 127.0.0.1:8765. Programs send the token that `claude-comm module add NAME` printed. --open prints an
    address with a code that works once, for the browser of an administrator. At SIGTERM or SIGINT it tells its clients
    the position to resume from, and stops. With --json the address and the code are one JSON object.
    """
    try:
        from claude_comm.gateway import serving
        from claude_comm.gateway.core.gateway import Gateway
        from claude_comm.gateway.core.options import amended, grants_of, options_of
        from claude_comm.gateway.core.principals import EVERYTHING, Principal
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the gateway needs {error.name}, which is not installed: pip install 'claude-comm[gateway]'."
        ) from None
    settings = settings_of_process()
    given = options_of(settings)
    options = amended(
        given,
        host=host or ("0.0.0.0" if public and not settings.gateway_public else given.host),
        port=given.port if port is None else port,
        public=public or given.public,
        anonymous=anonymous,
        origins=(*given.origins, *(origin or ())),
        grants={**given.grants, **grants_of(grant or [])},
    )
    gateway = Gateway(settings, options)
    listening = serving.listen(options.host, options.port)
    address = serving.address_of(listening)
    administrator = Principal("administrator", EVERYTHING, is_module=False)
    login = f"{address}/login?code={gateway.sessions.new_code(administrator)}" if open_ else ""

    def started() -> None:
        if as_json:
            emit_json({"address": address, "login": login, "pid": os.getpid()}, lines=True)
        else:
            emit(login or address)
            _explain(login, anonymous, gateway.tokens.why_none if not len(gateway.tokens) else "")
        sys.stdout.flush()

    serving.run(gateway, listening, started)


def _explain(login: str, anonymous: bool, why_none: str) -> None:
    if login:
        say("Open this address in a browser: its code works once, within ten minutes.")
    if not anonymous and why_none:
        say("Nobody has a token yet: `claude-comm module add NAME` makes one, and prints it.")
