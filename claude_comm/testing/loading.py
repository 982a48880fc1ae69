"""Loading a module for a test by where it is."""

from __future__ import annotations

from claude_comm.client.module.finder import find_module
from claude_comm.client.module.module import Module


def load_module(target: str) -> Module:
    """The `Module` at `package.file:name` or `path/file.py:name`, as commands name it. Raises NotFound."""
    return find_module(target)
