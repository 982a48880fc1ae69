"""The command line, for tests of what it changes."""

from tests.cli.conftest import run

__all__ = ["run"]
