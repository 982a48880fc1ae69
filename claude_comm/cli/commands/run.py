"""The command `run`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.client.module.finder import find_module


def command(
    target: Annotated[str, typer.Argument(metavar="PACKAGE.FILE:MODULE", help="Where the Module object is.")],
) -> int:
    """Run a module of yours until SIGTERM or SIGINT.

    `claude-comm run shop.orders:module` imports shop/orders.py, relative to the working folder, and runs its `module`.
    `claude-comm run shop/orders.py:module` does the same by the name of the file.
    """
    return find_module(target).run()
