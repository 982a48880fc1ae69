"""`python -m claude_comm.cli`, the same as `python -m claude_comm`."""

from __future__ import annotations

import runpy

runpy.run_module("claude_comm", run_name="__main__", alter_sys=True)
