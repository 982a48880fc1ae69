"""A worker under chaos: `python -m tests.chaos.worker progress` is it as it is shipped, tampered with if asked."""

from __future__ import annotations

import argparse
import importlib
import sys

from claude_comm.runtime.environment import settings_of_process
from tests.chaos import tamper


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    tamper.add_options(parser)
    given = parser.parse_args()
    tamper.apply(given)
    code: int = importlib.import_module(f"workers.{given.name}").run(settings_of_process())
    return code


if __name__ == "__main__":
    sys.exit(main())
